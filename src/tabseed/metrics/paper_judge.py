"""The discriminator by which the authors of arXiv 2407.03080 measured their tables.

Notation: n = 2 M rows train, the first M real; x (n, c) a row's c inputs; W1 (c, h) and so on the
weights of three blocks, each linear, batch normalisation, dropout 1/2, leaky ReLU of slope 0.2.
A last linear layer gives the logit z of "real", so that KL = E_p[z] in nats and JS as in
:mod:`tabseed.metrics.divergence`, from D = 1/(1 + exp(-z)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy.special import expit
from scipy.stats import t as student

from tabseed._progress import Progress
from tabseed._random import child, one_thread
from tabseed.errors import TooFewRowsError, not_installed
from tabseed.estimates.estimate import Estimate
from tabseed.metrics.divergence_result import DivergenceResult, Plan
from tabseed.metrics.leakage import pooled_codes
from tabseed.table import MISSING, Table
from tabseed.table.schema import NUMERIC

UNITS = (256, 64, 32)
SLOPE = 0.2  # of the leaky ReLU
RATE = 1e-3
MOMENTUM, EPSILON = 0.1, 1e-5  # of batch normalisation
MAX_EPOCHS, PATIENCE = 10_000, 1_000
CLAMP = 1e-7  # D lies between this and 1 - CLAMP where JS is computed; KL has no such bound
REPEATS = 5
JUDGE = "paper"
DIVERGENCES = ("kl", "js")  # each trains discriminators of its own
NOISE = "training noise only: 95 % t interval of the mean over retrainings on identical rows"
ROWS, TRAIN = 0, 1  # random streams below the metric's own


@dataclass(frozen=True)
class PaperDivergence(DivergenceResult):
    """What the authors' protocol says: means over retrainings, and how far these differ.

    ``runs[divergence]`` has each retraining's estimate, ``epochs[divergence]`` how long it trained.
    The intervals of ``estimates["plain"]["paper"]`` cover the training's randomness alone: the rows
    are the same in every retraining, so neither they nor the generator's draw vary. (The paper's
    "mean (std)" is the mean and :meth:`sd`.) With one retraining the ends are NaN. KL is no bound
    here: the mean of uncalibrated logits may lie on either side of the divergence.
    """

    m: int = 0
    l: int = 0  # noqa: E741 - as the paper calls it
    runs: dict[str, tuple[float, ...]] | None = None
    epochs: dict[str, tuple[int, ...]] | None = None

    def sd(self, divergence: str) -> float:
        """Return the standard deviation over retrainings of "kl" or "js" (NaN for one)."""
        runs = (self.runs or {})[divergence]
        return float(np.std(runs, ddof=1)) if len(runs) > 1 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready except that an unknown end is NaN."""
        return {
            "protocol": "arXiv 2407.03080",
            "interval": NOISE,
            "headline": self.js.to_dict(),
            "kl": self.kl.to_dict(),
            "m": self.m,
            "l": self.l,
            "runs": {key: list(values) for key, values in (self.runs or {}).items()},
            "sd": {key: self.sd(key) for key in DIVERGENCES},
            "epochs": {key: list(values) for key, values in (self.epochs or {}).items()},
        }


@dataclass(frozen=True)
class PaperJudge:
    """The protocol: M rows of each table train, L test and L others stop the training.

    Cost: 2 ``repeats`` trainings of at most 10,000 epochs over all 2 M rows at once.
    """

    m: int
    l: int  # noqa: E741
    repeats: int
    n_jobs: int | None = None

    def measure(
        self,
        real: Table,
        synthetic: Table,
        stream: np.random.SeedSequence,
        progress: Progress | None = None,
    ) -> PaperDivergence:
        """Return both divergences of two tables of one schema; see :class:`PaperDivergence`."""
        _need_torch()
        needed = self.m + 2 * self.l
        for name, table in (("real", real), ("synthetic", synthetic)):
            if len(table) < needed:
                raise TooFewRowsError(
                    f"DiscriminatorDivergence(paper=True): m + 2 l = {needed} rows are needed in "
                    f"each table, got {len(table)} {name} rows; pass smaller m and l"
                )
        blocks = [
            rows[np.random.default_rng(child(stream, ROWS, side)).permutation(len(rows))[:needed]]
            for side, rows in enumerate(inputs(real, synthetic))
        ]
        parts = [
            np.concatenate([block[low:high] for block in blocks])
            for low, high in (
                (0, self.m),
                (self.m, self.m + self.l),  # the order of their code: test before validation
                (self.m + self.l, needed),
            )
        ]
        tasks = [(key, repeat) for key in DIVERGENCES for repeat in range(self.repeats)]
        work = (
            delayed(_trained)(parts, child(stream, TRAIN, DIVERGENCES.index(key), repeat))
            for key, repeat in tasks
        )
        runs: dict[str, list[float]] = {key: [] for key in DIVERGENCES}
        epochs: dict[str, list[int]] = {key: [] for key in DIVERGENCES}
        results = Parallel(n_jobs=effective_n_jobs(self.n_jobs), return_as="generator")(work)
        for done, ((key, _), (logits, length)) in enumerate(zip(tasks, results, strict=True)):
            runs[key].append(kl_and_js(logits)[key])
            epochs[key].append(length)
            if progress is not None:
                progress(done + 1, len(tasks), "discriminators")
        estimates = {key: _over_retrainings(runs[key], key) for key in DIVERGENCES}
        return PaperDivergence(
            estimates={"plain": {JUDGE: estimates}},
            smallest_js=None,
            null_js=(),
            n_real=needed,
            n_synthetic=needed,
            plan=Plan(folds=1, repeats=self.repeats, permutations=0),
            m=self.m,
            l=self.l,
            runs={key: tuple(values) for key, values in runs.items()},
            epochs={key: tuple(values) for key, values in epochs.items()},
        )


def kl_and_js(logits: np.ndarray) -> dict[str, float]:
    """Return KL in nats and JS in bits from the logits of L real rows, then of L synthetic ones.

    KL is the mean logit of the real rows, of any sign and size; JS may be negative too.
    """
    real, synthetic = np.split(logits.astype(np.float64), 2)
    of_real, of_synthetic = (
        np.log2(np.clip(expit(z), CLAMP, 1 - CLAMP)).mean() for z in (real, -synthetic)
    )
    return {"kl": float(real.mean()), "js": float(1 + (of_real + of_synthetic) / 2)}


def _over_retrainings(runs: list[float], key: str) -> Estimate:
    mean, half = float(np.mean(runs)), math.nan
    if len(runs) > 1:
        error = np.std(runs, ddof=1) / math.sqrt(len(runs))
        half = float(student.ppf(0.975, len(runs) - 1) * error)
    return Estimate(mean, mean - half, mean + half, "nats" if key == "kl" else "bits")


def inputs(real: Table, synthetic: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return both tables as the authors' network sees them: float32, a column for each column.

    Numbers are z-scores by mean and standard deviation of the real rows, categories their codes
    0, 1, ... as numbers; a missing cell is the real rows' mean or most frequent category.
    """
    columns: list[np.ndarray] = []
    n = len(real)
    for column in real.schema:
        if column.kind in NUMERIC:
            cells = np.concatenate([real.numbers(column.name), synthetic.numbers(column.name)])
            known = cells[:n][~np.isnan(cells[:n])]
            mean, sd = (known.mean(), known.std()) if len(known) else (0.0, 1.0)
            columns.append(np.nan_to_num((cells - mean) / (sd or 1.0), nan=0.0))
        else:
            codes = np.concatenate(pooled_codes([real, synthetic], column.name))
            known = codes[:n][codes[:n] != MISSING]
            mode = np.bincount(known).argmax() if len(known) else 0
            columns.append(np.where(codes == MISSING, mode, codes))
    rows = np.column_stack(columns).astype(np.float32)
    return rows[:n], rows[n:]


# --- the network --------------------------------------------------------------------------------


def _need_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:  # pragma: no cover - exercised in an environment of its own
        raise not_installed("DiscriminatorDivergence(paper=True)", "PyTorch", "torch") from error


def _trained(parts: list[np.ndarray], stream: np.random.SeedSequence) -> tuple[np.ndarray, int]:
    """Train one discriminator on rows (train, test, validation); half of each are real.

    Return its logits of the test rows and the number of epochs. Training ends once PATIENCE epochs
    brought no smaller validation loss, and then the weights of the smallest are taken; otherwise,
    as in the authors' code, it keeps the last ones.
    """
    import torch

    with one_thread():
        train, test, validation = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
        network = Network(train, np.random.default_rng(stream))
        truth = (torch.arange(len(validation)) < len(validation) // 2).float()[:, None]
        adam = torch.optim.Adam(network.parameters, lr=RATE)
        best, best_loss, waited, epochs = network.state(), math.inf, 0, 0
        while epochs < MAX_EPOCHS and waited < PATIENCE:
            epochs += 1
            adam.zero_grad()
            network.loss().backward()
            adam.step()
            with torch.no_grad():
                logits = network.logits(validation)
                loss = float(torch.nn.functional.binary_cross_entropy_with_logits(logits, truth))
            if loss < best_loss:
                best, best_loss, waited = network.state(), loss, 0
            else:
                waited += 1
        if waited >= PATIENCE:
            network.restore(best)
        with torch.no_grad():
            return network.logits(test).numpy().ravel(), epochs


class Network:
    """The authors' network on fixed training rows, written so that an epoch costs little.

    The first linear layer and its normalisation are one product: the mean and variance of x W1
    over the training rows follow from those of x, (mean x) W1 and diag(W1' Cov(x) W1), so the
    widest layer is never normalised cell by cell. Biases before a normalisation cancel out and are
    left out. Since leaky ReLU is positively homogeneous, dropout may follow it: the cells kept are
    then multiplied by 2, by one random bit each.
    """

    def __init__(self, rows: Any, rng: np.random.Generator) -> None:
        """Draw weights as PyTorch does by default; ``rows`` (n, c) train, the first half real."""
        import torch

        self.torch, self.rng, self.rows = torch, rng, rows
        self.truth = (torch.arange(len(rows)) < len(rows) // 2).float()[:, None]
        wide = rows.double()
        self.mean = wide.mean(0)
        self.covariance = (wide - self.mean).T @ (wide - self.mean) / len(rows)
        widths = (rows.shape[1], *UNITS)
        self.weights = [self._drawn(a, b) for a, b in zip(widths, UNITS, strict=False)]
        self.scales = [torch.ones(units, requires_grad=True) for units in UNITS]
        self.shifts = [torch.zeros(units, requires_grad=True) for units in UNITS]
        self.last, self.bias = self._drawn(UNITS[-1], 1), self._drawn(UNITS[-1], 1)[:1].detach()
        self.bias.requires_grad_()
        self.parameters = [*self.weights, *self.scales, *self.shifts, self.last, self.bias]
        self.running = [(torch.zeros(units), torch.ones(units)) for units in UNITS]
        # each byte of random bits gives eight cells 0 or 2
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
        self.kept = torch.from_numpy(2 * bits.astype(np.float32))

    def _drawn(self, fan_in: int, units: int) -> Any:
        bound = 1 / math.sqrt(fan_in)
        weight = self.rng.uniform(-bound, bound, (fan_in, units)).astype(np.float32)
        return self.torch.from_numpy(weight).requires_grad_()

    def state(self) -> list[Any]:
        """Return a copy of the weights and the running moments."""
        moments = [moment for pair in self.running for moment in pair]
        return [value.detach().clone() for value in (*self.parameters, *moments)]

    def restore(self, state: list[Any]) -> None:
        """Take weights and running moments from :meth:`state`."""
        moments = [moment for pair in self.running for moment in pair]
        with self.torch.no_grad():
            for value, saved in zip((*self.parameters, *moments), state, strict=True):
                value.copy_(saved)

    def loss(self) -> Any:
        """Return the mean cross-entropy of the training rows in nats, with dropout."""
        functional = self.torch.nn.functional
        hidden = self._dropout(self._first())
        for weight, scale, shift, (mean, variance) in zip(
            self.weights[1:], self.scales[1:], self.shifts[1:], self.running[1:], strict=True
        ):
            z = functional.batch_norm(
                hidden @ weight, mean, variance, scale, shift, True, MOMENTUM, EPSILON
            )
            hidden = self._dropout(z)
        logits = self.torch.addmm(self.bias, hidden, self.last)
        return functional.binary_cross_entropy_with_logits(logits, self.truth)

    def _first(self) -> Any:
        """Return the first block's normalised cells (n, h); its running moments follow."""
        n, weight = len(self.rows), self.weights[0].double()
        mean = self.mean @ weight
        variance = (weight * (self.covariance @ weight)).sum(0)
        running_mean, running_variance = self.running[0]
        with self.torch.no_grad():
            running_mean.lerp_(mean.float(), MOMENTUM)
            running_variance.lerp_((variance * n / (n - 1)).float(), MOMENTUM)
        factor = self.scales[0] / (variance + EPSILON).sqrt()
        offset = self.shifts[0] - mean * factor
        return self.torch.addmm(offset.float(), self.rows, (weight * factor).float())

    def _dropout(self, z: Any) -> Any:
        """Return leaky ReLU of ``z``, which it overwrites, with half of the cells left out."""
        packed = self.rng.integers(0, 256, z.numel() // 8, dtype=np.uint8).astype(np.int32)
        kept = self.kept.index_select(0, self.torch.from_numpy(packed)).view(z.shape)
        return self.torch.nn.functional.leaky_relu(z, SLOPE, inplace=True).mul(kept)

    def logits(self, rows: Any) -> Any:
        """Return the logits (n, 1) of rows, without dropout and by the running moments."""
        for weight, scale, shift, (mean, variance) in zip(
            self.weights, self.scales, self.shifts, self.running, strict=True
        ):
            factor = scale / (variance + EPSILON).sqrt()
            rows = self.torch.addmm(shift - mean * factor, rows, weight * factor)
            rows = self.torch.nn.functional.leaky_relu(rows, SLOPE, inplace=True)
        return self.torch.addmm(self.bias, rows, self.last)
