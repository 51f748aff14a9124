"""The authors' protocol, reconstructed: their rows, networks, losses, stopping rule and arms.

All arms learn from the authors' 300 rows (``big_data``: their 10,000) and draw 10,000 rows each;
``faithful.csv`` says how each arm learned, ``faithful_judged.csv`` how far its rows, and those the
authors published, are from the real ones. Beside their arms stand two controls, a smaller
initialisation and longer training. A run decides all random numbers; the arms of a run share the
ten seeds of the first training, as theirs do. Differences from their code:

* Of the networks that learn from 8,000 rows the best of two is kept, not of ten, and validation is
  after each 8th batch, which counts 8 times.
* MAML: other rows of the tasks judge the progress than those that it follows, 2,000, not 9,700.
* CTGAN: kinds of columns by the rule for the VAE, not by guess; a batch is at most the rows that
  train (294 of 300), not 500 drawn from 300; 2 % of the rows train nothing; no weight decay; 3,000
  steps on 10,000 rows, not 20,000. Its pre-training happens: in their code it does not.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import tabseed as ts
from experiments.common.benches import bench_of
from experiments.common.draws import JUDGED, fixed
from experiments.common.paper1 import LATENT_DIM, coded, generated
from experiments.common.results import Results, Row
from tabseed.generators.neural.base import NeuralGenerator
from tabseed.inductive_bias.base import Bench, learn

RESULTS = Path(__file__).parent / "results"
WORK = Path(__file__).parent / ".work"  # the rows drawn by each arm: learned once, judged often
TABLES = ("adult", "king", "news", "intrusion")
GENERATED, RUNS = 10_000, 3
NETWORKS = 2  # on 8,000 rows, of which the best is kept; the authors train 10
THEIR_MAML = ts.MAML(
    order="second",
    start="fresh",
    n_rows=10_000,
    meta=ts.MetaTraining(
        batch_rows=300,
        query_rows=2_000,
        resample=False,
        inner_steps=50,
        inner_rate=1e-3,
        steps=10_000,
        rate=1e-3,
        check_every=1,
        patience=10,
    ),
    must_improve=False,
)
ARMS: dict[str, Callable[[], ts.InductiveBias]] = {
    "low_data": lambda: ts.StageOne(),
    "avg": lambda: ts.WeightAveraging(),
    "drs": lambda: ts.DomainRandomizedSearch(),
    "maml": lambda: THEIR_MAML,
    "control: small-init": lambda: ts.SmallInit(),
    "control: continued": lambda: ts.Continued(),
    "pretrain": lambda: ts.Pretraining(n_networks=NETWORKS),
}
BIG = "big_data"
CTGAN = "ctgan_"  # before the name of an arm; the authors' CTGAN has one run, without seeds
CTGAN_ARMS: dict[str, Callable[[], ts.InductiveBias]] = {
    "low_data": lambda: ts.StageOne(n_seeds=1),
    "pretrain": lambda: ts.Pretraining(n_seeds=1, n_networks=1),
}
EPOCHS, BATCH = 1_000, 500  # of CTGAN, in their code
MOST_STEPS = 3_000  # of CTGAN on many rows, where their epochs are 20,000
ONCE = ("pretrain", BIG, *(CTGAN + arm for arm in (*CTGAN_ARMS, BIG)))  # dear: one run
THEIRS = (
    "low_data", "pretrain", "avg", "maml", "drs", BIG, *(CTGAN + arm for arm in (*CTGAN_ARMS, BIG)),
)  # fmt: skip
KEYS = ("data", "source", "arm", "run", "judge")
JUDGE = ts.DiscriminatorDivergence(views=("plain",), permutations=0, folds=3, repeats=1, n_jobs=1)


class TheirVAEBGM(ts.VAEBGM):
    """The authors' network and training, with fewer validations on many rows."""

    def __init__(self, latent_dim: int, n_seeds: int = 10, random_state: int = 0) -> None:
        super().__init__(
            paper=True, latent_dim=latent_dim, n_seeds=n_seeds, random_state=random_state
        )

    def _training(self, n: int) -> ts.Training:
        return replace(super()._training(n), validate_every=8)


class TheirCTGAN(ts.CTGAN):
    """CTGAN with the settings of the authors' code, as far as ours has them; the last weights."""

    def __init__(self, random_state: int = 0) -> None:
        super().__init__(
            hidden_dim=256, pac=10, matching=0.0, max_modes=10, n_seeds=1, random_state=random_state
        )

    def _training(self, n: int) -> ts.Training:
        steps = min(EPOCHS * max(1, n // BATCH), MOST_STEPS)
        return ts.Training(
            steps=steps,
            batch_size=BATCH,
            learning_rate=2e-4,
            validation=0.02,
            warm_up=steps,
            validate_every=steps,
        )


def tables_of(name: str) -> tuple[ts.Table, ts.Table, ts.Table]:
    """Return the authors' pool of 10,000 rows, their 300 of these, and the 9,500 that judge."""
    pool, judges = coded(name)
    few = ts.Table.from_frame(generated(name, "real_300", judges), schema=judges.schema)
    return pool, few, judges


# --- learning -----------------------------------------------------------------------------------


def encoder_of(model: NeuralGenerator, train: ts.Table, *others: ts.Table) -> ts.TableEncoder:
    """Return the encoder: of the VAE by all 19,500 rows, as theirs is; of CTGAN by ``train``."""
    tables = [train] if isinstance(model, TheirCTGAN) else others
    whole = pa.concat_tables([table.to_arrow() for table in tables])
    return ts.TableEncoder().fit(ts.Table.from_frame(whole, schema=train.schema))


def start(model: NeuralGenerator, encoder: ts.TableEncoder, train: ts.Table, run: int) -> Bench:
    """Return what all arms of a run share: the rows, the network, the stages that are done."""
    bench = bench_of(model, train, np.random.SeedSequence([2407, run]), encoder)
    if isinstance(model, TheirCTGAN):
        bench.tuning = bench.training  # they train on as they trained before
    return bench


def learn_arms(name: str, run: int, arms: Iterable[str]) -> None:
    """Learn the arms of a run that are missing; write their rows and how they learned."""
    warnings.simplefilter("ignore", ts.OrthogonalSeedsWarning)
    results = Results(RESULTS / "faithful.csv", ("data", "arm", "run"))
    missing = [arm for arm in arms if not results.has(data=name, arm=arm, run=run)]
    if not missing:
        return
    pool, few, judges = tables_of(name)
    benches: dict[bool, Bench] = {}
    for arm in missing:
        plain = arm.removeprefix(CTGAN)
        is_ctgan = plain != arm
        seeds = NETWORKS if plain == BIG else 10
        inner: NeuralGenerator = (
            TheirCTGAN(run) if is_ctgan else TheirVAEBGM(LATENT_DIM[name], seeds, run)
        )
        began = time.perf_counter()
        summary: list[str] = []
        if plain == BIG:
            inner.fit(pool, encoder=encoder_of(inner, pool, pool, judges))
        else:
            if is_ctgan not in benches:
                encoder = encoder_of(inner, few, pool, judges)
                benches[is_ctgan] = start(inner, encoder, few, run)
            bias = (CTGAN_ARMS if is_ctgan else ARMS)[plain]()
            inner, bias = learn(bias, benches[is_ctgan])
            summary = bias.summary()
        seconds = time.perf_counter() - began
        WORK.mkdir(exist_ok=True)
        drawn = inner.draw(GENERATED, random_state=run)
        pq.write_table(drawn.to_arrow(), _file(name, arm, run))
        key = {"data": name, "arm": arm, "run": run}
        results.add(key | _learned(inner, seconds, summary))


def _learned(model: NeuralGenerator, seconds: float, summary: list[str]) -> Row:
    """Return how the last training of an arm went."""
    loss, steps = model.ensemble_.best_loss, model.ensemble_.best_step
    return {
        "best loss": float(np.nanmin(loss)),
        "median loss": float(np.nanmedian(loss)),
        "mean steps": float(steps.mean()),
        "seconds": round(seconds, 1),
        "note": " ".join(summary),
    }


def _file(name: str, arm: str, run: int) -> Path:
    return WORK / f"{name}_{arm.replace(': ', '_')}_{run}.parquet"


# --- judging ------------------------------------------------------------------------------------


def judge_arms(name: str, judge: str, jobs: Iterable[tuple[str, str, int]]) -> None:
    """Judge the rows of (source, arm, run), source "authors" or "ours", that have no line yet.

    ``judge``: "cross-fitted", 4,000 held-out rows and as many drawn, which gives a line for the
    network and one for trees; or "M/L", one training of the authors' discriminator with M and L
    rows of each table. Its real rows are held out, or for 100/100 the 300 that the arm learned
    from, as theirs are.
    """
    results = Results(RESULTS / "faithful_judged.csv", KEYS)
    _, few, judges = tables_of(name)
    for source, arm, run in jobs:
        key = {"data": name, "source": source, "arm": arm, "run": run}
        names = {"cross-fitted": "network"}.get(judge, judge)
        if results.has(**key, judge=names):
            continue
        drawn: Any
        if source == "authors":
            drawn = generated(name, arm, judges)
        elif _file(name, arm, run).exists():
            drawn = pq.read_table(_file(name, arm, run))
        else:
            continue
        rows = ts.Table.from_frame(drawn, schema=judges.schema)
        results.add_new(key | line for line in _lines(judge, few, judges, rows, run))


def _lines(judge: str, few: ts.Table, judges: ts.Table, rows: ts.Table, run: int) -> Iterable[Row]:
    """Return the lines of one judge: JS in bits, KL in nats."""
    began = time.perf_counter()
    if judge == "cross-fitted":
        index = np.sort(np.random.default_rng(0).permutation(len(rows))[:JUDGED])
        result = JUDGE.evaluate(fixed(judges), rows.take(index), random_state=run)
        seconds = round(time.perf_counter() - began, 1)
        for column, called in (("mlp", "network"), ("trees", "trees")):
            found = result.estimates["plain"][column]
            yield _line(called, found["js"].value, found["kl"].value, seconds)
        return
    m, l = (int(part) for part in judge.split("/"))  # noqa: E741
    theirs = ts.DiscriminatorDivergence(paper=True, m=m, l=l, repeats=1, n_jobs=1)
    result = theirs.evaluate(few if m == FEW else judges, rows, random_state=run)
    seconds = round(time.perf_counter() - began, 1)
    yield _line(judge, result.js.value, result.kl.value, seconds)


FEW = 100  # rows M, and L, of the second scenario


def _line(judge: str, js: float, kl: float, seconds: float) -> Row:
    return {"judge": judge, "js": js, "kl": kl, "seconds": seconds}


def run(name: str) -> None:
    """Run what is missing of one table: learn all arms and judge them, the cheap ones first."""
    cheap = [arm for arm in ARMS if arm not in ONCE]
    ours = [("ours", arm, seed) for seed in range(RUNS) for arm in cheap]
    ours += [("ours", arm, 0) for arm in ONCE]
    theirs = [("authors", arm, 0) for arm in THEIRS]
    judge_arms(name, "cross-fitted", theirs)
    for seed in range(RUNS):
        learn_arms(name, seed, cheap)
    learn_arms(name, 0, ONCE)
    judge_arms(name, "cross-fitted", ours)
    # the second scenario has one run and no arm of 10,000 rows
    few = [job for job in (*theirs, *ours) if not job[1].endswith(BIG) and job[2] == 0]
    judge_arms(name, f"{FEW}/{FEW}", few)
