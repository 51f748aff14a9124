"""Which criterion should end the second training: how each ranks the JS of the rows drawn.

    TABSEED_DATA=... python -m experiments.inductive_bias.criteria          # about 20 CPU minutes
    python -m experiments.inductive_bias.summary                            # fills in README.md

Raw Adult, N = 300, VAEBGM with ten seeds, draws that no other study uses. The second training of a
bias runs for 800 steps without stopping. After 0, 25, 50, 100, 200, 400 and 800 steps each seed
gets, from the 60 rows set aside: the validation bound (KL weight 0.3), the negative log-likelihood
under the law that rows are drawn from, and the energy distance of 600 drawn rows. Other real rows
judge five seeds: JS in bits of 2,000 and 2,000 rows by boosted trees, held out by halves.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from experiments.common.machine import one_thread

one_thread()

import numpy as np  # noqa: E402
from scipy.spatial.distance import cdist  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402

import tabseed as ts  # noqa: E402
from experiments.common.benches import bench_of  # noqa: E402
from experiments.common.draws import draw_of  # noqa: E402
from experiments.common.results import Results, Row  # noqa: E402
from experiments.inductive_bias.arms import taught  # noqa: E402
from tabseed.generators.neural.ensemble import Options, SeedEnsemble, train_ensemble  # noqa: E402
from tabseed.generators.neural.learner import Weights, to_tensor, torch  # noqa: E402
from tabseed.inductive_bias.base import FINE, Bench, Stacked  # noqa: E402

RESULTS = Path(__file__).parent / "results"
DRAWS = (10, 11, 12)
STEPS = (0, 25, 50, 100, 200, 400, 800)
JUDGED_SEEDS, ROWS, DRAWN = 5, 2_000, 600
PULLED, PULL = "drs, pull 100", 100.0
BIASES = {
    "drs": ts.DomainRandomizedSearch,
    "pretrain": ts.Pretraining,
    "continued": ts.Continued,
    "average": ts.WeightAveraging,
    "taught by trees": taught,
    PULLED: ts.DomainRandomizedSearch,
}
ALL = ", all rows"  # after a bias: the second training has the rows set aside too, without scores
RATES = ("0.0002", "0.001")  # text, as in the file of results
KEYS = ("draw", "bias", "rate", "seed", "step")


def start(draw: int) -> tuple[Bench, ts.Table]:
    """Return a bench for the rows of a draw, and the rows that judge."""
    rows = draw_of("raw", "adult", draw)
    model = ts.VAEBGM(device="cpu", random_state=draw)
    return bench_of(model, rows.few, np.random.SeedSequence(draw)), rows.held


def path_of(
    bench: Bench, initial: Stacked, rate: float, pull: float = 0.0, *, whole: bool = False
) -> dict[int, Stacked]:
    """Return the weights of all seeds at STEPS of a second training that never stops.

    ``whole``: on all rows, those set aside too.
    """
    seeds = bench.model.n_seeds
    n_starts = len(next(iter(initial.values())))
    initial = {k: np.repeat(v, seeds // n_starts, axis=0) for k, v in initial.items()}
    seen: dict[int, Stacked] = {}

    def monitor(step: int, active: np.ndarray, weights: Weights) -> np.ndarray:
        if step in STEPS:
            seen[step] = {k: v.detach().numpy().copy() for k, v in weights.items()}
        return np.full(len(active), -float(step))

    training = replace(
        bench.training,
        steps=max(STEPS),
        warm_up=0,
        learning_rate=rate,
        validate_every=25,
        pull=pull,
    )
    entropy, path = bench.stream.entropy, bench.stream.spawn_key
    streams = [
        np.random.SeedSequence(entropy, spawn_key=(*path, FINE, seed)) for seed in range(seeds)
    ]
    network, split = bench.model.network_, bench.split()
    split = split.whole() if whole else split
    options = Options(monitor=monitor)
    train_ensemble(network, bench.rows, split, training, streams, initial=initial, options=options)
    return seen


def scores(bench: Bench, weights: Stacked, seed: int, latent: np.ndarray | None) -> Row:
    """Return the three criteria of a seed, from the rows set aside."""
    split = bench.split()
    held = bench.rows[split.validation[0]]
    curve = [np.zeros((0, 3))] * bench.model.n_seeds
    zero = np.zeros(bench.model.n_seeds)
    ensemble = SeedEnsemble(weights, curve, zero.astype(int), zero)
    model = bench.settled(ensemble, [seed], split, latent)
    rng = np.random.default_rng([seed, 1])
    noise = rng.standard_normal((1, len(held), model.network_.noise_width)).astype(np.float32)
    stacked = {k: to_tensor(v[seed : seed + 1]) for k, v in weights.items()}
    with torch.no_grad():
        bound = model.network_.held_loss(stacked, to_tensor(held)[None], to_tensor(noise))
    likelihood = model._log_likelihood(held, np.random.default_rng(2))
    drawn = model._sample_seed(0, DRAWN, np.random.default_rng(3))
    drawn = bench.model._network(bench.layout).rows(drawn)
    within = cdist(drawn, drawn).sum() / (DRAWN * (DRAWN - 1))
    energy = 2 * cdist(drawn, held).mean() - within
    return {
        "bound": float(bound[0]), "drawn": float(-likelihood.mean()), "energy": float(energy)
    }  # fmt: skip


def judged(
    bench: Bench,
    held: ts.Table,
    weights: Stacked,
    seed: int,
    latent: np.ndarray | None,
) -> float:
    """Return the JS in bits of rows drawn from a seed whose mixture has learned from all rows."""
    curve = [np.zeros((0, 3))] * bench.model.n_seeds
    zero = np.zeros(bench.model.n_seeds)
    ensemble = SeedEnsemble(weights, curve, zero.astype(int), zero)
    model = bench.settled(ensemble, [seed], bench.split().whole(), latent)
    x = model._sample_seed(0, ROWS, np.random.default_rng([seed, 4]))
    rows = bench.model.encoder_.inverse_transform(x)
    return js(numbers(held.take(np.arange(ROWS))), numbers(rows))


def numbers(table: ts.Table) -> np.ndarray:
    """Return a table as numbers, categories as codes."""
    return np.column_stack(
        [
            table.codes(c.name)
            if c.kind in ("categorical", "ordinal", "boolean")
            else table.numbers(c.name)
            for c in table.schema.modelled
        ]
    ).astype(float)


def js(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Return JS in bits: boosted trees learn from one half and judge the other, both ways."""
    x = np.concatenate([real, synthetic])
    y = np.repeat([1, 0], [len(real), len(synthetic)])
    fold = np.random.default_rng(0).permutation(len(x)) % 2
    p = np.empty(len(x))
    for k in (0, 1):
        trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=12, random_state=0)
        p[fold == k] = trees.fit(x[fold != k], y[fold != k]).predict_proba(x[fold == k])[:, 1]
    p = p.clip(1e-4, 1 - 1e-4)
    return float(1 + (np.log2(p[y == 1]).mean() + np.log2(1 - p[y == 0]).mean()) / 2)


def run() -> None:
    """Write the lines that do not exist yet to ``criteria.csv``."""
    results = Results(RESULTS / "criteria.csv", KEYS)
    for draw in DRAWS:
        bench, held = start(draw)
        for name, make in BIASES.items():
            paths = [(name, rate) for rate in RATES]
            if name != PULLED:
                paths.append((name + ALL, RATES[0]))
            missing = [p for p in paths if not results.has(draw=draw, bias=p[0], rate=p[1])]
            if not missing:
                continue
            bias = make()
            initial = bias.initial_weights(bench.first(bias.plan()), bench)
            latent = bias.latent_rows()
            for path, rate in missing:
                whole, pull = path != name, PULL * (name == PULLED)
                weights = path_of(bench, initial, float(rate), pull, whole=whole)
                for step, stacked in weights.items():
                    for seed in range(bench.model.n_seeds):
                        key = dict(zip(KEYS, (draw, path, rate, seed, step), strict=True))
                        line = key | (
                            dict.fromkeys(("bound", "drawn", "energy"), "")
                            if whole
                            else scores(bench, stacked, seed, latent)
                        )
                        of = (bench, held, stacked, seed, latent)
                        line["js"] = judged(*of) if seed < JUDGED_SEEDS else ""
                        results.add(line)


if __name__ == "__main__":
    run()
