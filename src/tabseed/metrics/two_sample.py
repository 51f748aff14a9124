"""Can these rows tell two tables apart at all? A permutation test that is exact for few rows.

Notation: n real and m synthetic rows, P = B + 1 label vectors: the true one and B shuffled ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tabseed._progress import Progress
from tabseed._random import child, one_thread
from tabseed.errors import shortened
from tabseed.estimates.estimate import Better, Estimate
from tabseed.metrics.base import Metric
from tabseed.metrics.discriminators import judged_rows
from tabseed.metrics.signs import Pooled, Sign, soft_max, standardised
from tabseed.parameters import Parameters, Whole
from tabseed.rules.search import find_rules
from tabseed.table import Table
from tabseed.table.display import MAX_NAME

LEVEL = 0.05
REFERENCE = 500  # rows to learn from what usually goes with what
TIE = 1e-9  # combined values that differ by less are equal
SHUFFLED, CHOSEN = 0, 1  # random streams below the metric's own
WORDS = {
    "alone": "column {!r} on its own",
    "repeats": "how often the exact numbers of column {!r} repeat",
    "rule": "the rule {}",
    "usual": "how column {!r} goes with other columns",
    "near": "how near the rows lie to the rows that trained the generator",
    "leaves": "which values go together",
    "neighbours": "nearest neighbours, which come from the same table too often",
}
NEARLY = 0.5  # of the farthest sign: nearness to the training rows explains it
APART = "how far the rows lie from all others"  # of "near", without training rows


@dataclass(frozen=True)
class TwoSampleResult:
    """Whether rows of two tables can be told apart, and by what.

    ``p_value``: the share of label vectors, the true one included, with a ``strength`` at least
    as large as the true one's; below 0.05 in at most 5 % of the cases if the tables have one law.
    ``strength``: see :class:`TwoSampleTest`. ``signs``: how far each kind of sign lies from its
    mean over shuffled labels, in standard deviations, the farthest first. ``by``: the farthest in
    words; ``columns``: the column, two columns, or a rule's columns where the tables differ
    most, and ``columns_by`` in what; empty if no column varies.
    """

    p_value: float
    strength: Estimate
    signs: dict[str, float]
    by: str
    columns: tuple[str, ...]
    columns_by: str
    n_real: int
    n_synthetic: int
    permutations: int

    @property
    def headline(self) -> Estimate:
        """The number to compare tables by: the strength."""
        return self.strength

    @property
    def told_apart(self) -> bool:
        """Whether the p-value is at most 0.05."""
        return self.p_value <= LEVEL

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {
            "headline": self.strength.to_dict(),
            "p_value": self.p_value,
            "told_apart": self.told_apart,
            "by": self.by,
            "columns": list(self.columns),
            "columns_by": self.columns_by,
            "signs": dict(self.signs),
            "n_real": self.n_real,
            "n_synthetic": self.n_synthetic,
            "permutations": self.permutations,
        }


class TwoSampleTest(Metric[TwoSampleResult]):
    """Test whether real and synthetic rows have one law: a p-value that holds for any table.

    A discriminator must learn from the few rows what it judges with, and so misses what these rows
    show. This test instead asks seven fixed questions of the pooled rows, blind to whose a row is,
    and then how far the answers differ between the tables: each column on its own
    (Anderson-Darling, chi-square); how often its exact numbers repeat; rules that the training
    rows keep; how usual each cell is beside the other cells of its row; how near a row lies to
    others; into which leaves of a forest that knows which values go together it falls (Breiman
    2001, without labels); and whether nearest neighbours come from one table (Schilling 1986).
    What is usual or near is learned from the training rows, without them from the pooled ones.

    Each answer z is standardised over the true and the shuffled labels, the parts of a question
    too, and they are joined by log mean exp(z/2), so that one loud sign counts, and so do many
    that agree (as in arXiv 2306.08777). The p-value is the share of label vectors whose result is
    at least the true one's, the true one counted: under "no difference" it is at most a with
    probability at most a, exactly, whatever the tables. Rows that copy or follow training rows
    more closely than real rows do differ from real ones, and are found.

    ``strength`` is that result less what shuffled labels give, in their standard deviations: 0
    alike, larger is worse; it grows with the number of rows. Its interval takes the middle 95 % of
    shuffled labels as the noise. At most ``max_rows`` real rows, and of the synthetic rows no more
    than 10 n or 1,000, and ``max_rows``; others are dropped at random. The order of rows does not
    matter; nor does, with equally many, which table is which. Cost: some 0.2 s for 100 + 100 rows
    of 15 columns, 0.8 s for 1,000 + 1,000, 1.7 s with 48 columns; 50 (n + m)^2 bytes.
    """

    unit: ClassVar[str] = "sd of shuffled labels"
    better: ClassVar[Better] = "lower"
    references: ClassVar[tuple[str, ...]] = (
        "doi:10.1023/A:1010933404324",
        "arXiv:2306.08777",
        "doi:10.1080/01621459.1986.10478337",
    )
    min_rows: ClassVar[int] = 4
    parameters: ClassVar[Parameters] = {"permutations": Whole(19), "max_rows": Whole(10, 5_000)}

    def __init__(self, *, permutations: int = 499, max_rows: int = 1_000) -> None:
        self.permutations = permutations
        self.max_rows = max_rows

    def _evaluate(
        self,
        real: Table,
        synthetic: Table,
        stream: np.random.SeedSequence,
        *,
        train: Table | None,
        progress: Progress | None,
    ) -> TwoSampleResult:
        rules = () if train is None else find_rules(train)
        real_rows, synthetic_rows = judged_rows(len(real), len(synthetic), self.max_rows, stream)
        tables = real.take(real_rows), synthetic.take(synthetic_rows)
        rng = np.random.default_rng(child(stream, CHOSEN))
        with one_thread():
            pooled, is_real = Pooled.of(tables, train, rules, REFERENCE, rng)
            labels = label_vectors(
                is_real, self.permutations, np.random.default_rng(child(stream, SHUFFLED))
            )
            signs = []
            for sign in pooled.signs(labels, rng):
                signs.append(sign)
                if progress is not None:
                    progress(len(signs), len(WORDS), "test")
            columns, columns_by = _columns(signs, pooled, labels, train is not None)
        strength = combined(signs, labels.shape[1])
        return TwoSampleResult(
            p_value=p_value(strength),
            strength=_from_shuffled(strength, self.unit),
            signs=_by_kind(signs),
            by=_farthest(signs, has_train=train is not None),
            columns=columns,
            columns_by=columns_by,
            n_real=len(tables[0]),
            n_synthetic=len(tables[1]),
            permutations=self.permutations,
        )


def label_vectors(is_real: np.ndarray, shuffled: int, rng: np.random.Generator) -> np.ndarray:
    """Return (N, 1 + shuffled): 1/n for a real row and -1/m for others, the true labels first.

    Shuffled labels deal the smaller table's rows, so exchanging the tables turns only the sign.
    """
    n = int(is_real.sum())
    small = min(n, len(is_real) - n)
    sides = np.zeros((len(is_real), 1 + shuffled), dtype=bool)
    sides[:, 0] = is_real
    for index in range(shuffled):
        sides[rng.permutation(len(is_real))[:small], 1 + index] = True
    if small < n:
        sides[:, 1:] = ~sides[:, 1:]
    return np.where(sides, 1 / n, -1 / (len(is_real) - n))


def combined(signs: list[Sign], size: int) -> np.ndarray:
    """Return the soft maximum of the standardised signs for all label vectors (P,)."""
    if not signs:
        return np.zeros(size)
    return soft_max(standardised(np.array([sign.values for sign in signs])))


def p_value(strength: np.ndarray) -> float:
    """Return the share of label vectors that reach the first, the true one; itself included."""
    return float((strength >= strength[0] - TIE).mean())


def _from_shuffled(strength: np.ndarray, unit: str) -> Estimate:
    """Return the true strength less that of shuffled labels, in their standard deviations."""
    shuffled = strength[1:]
    spread = float(shuffled.std()) or 1.0
    low, high = np.quantile(shuffled, [0.975, 0.025])
    value, low, high = (
        float(strength[0] - centre) / spread for centre in (shuffled.mean(), low, high)
    )
    return Estimate(value, min(low, value), max(high, value), unit)


def _by_kind(signs: list[Sign]) -> dict[str, float]:
    found: dict[str, float] = {}
    for sign in signs:
        z = float(standardised(sign.values)[0])
        found[sign.kind] = max(z, found.get(sign.kind, z))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _followed(signs: list[Sign]) -> bool:
    """Return whether rows differ because they lie too near the training rows.

    Then their values also go together too much as in these rows, which is not the reason.
    """
    z = _by_kind(signs)
    return any(s.nearer for s in signs) and z["near"] >= NEARLY * z.get("usual", np.inf)


def _farthest(signs: list[Sign], *, has_train: bool) -> str:
    """Return the sign farthest from its mean over shuffled labels, in words."""
    if not signs:
        return "nothing: no column varies"
    loudest = next(iter(_by_kind(signs)))
    if loudest == "usual" and has_train and _followed(signs):
        loudest = "near"
    of_kind = [sign for sign in signs if sign.kind == loudest]
    farthest = max(of_kind, key=lambda sign: standardised(sign.values)[0])
    if farthest.kind == "near" and not has_train:
        return APART
    name = farthest.names[int(farthest.parts[:, 0].argmax())] if farthest.names else ""
    return _words(farthest.kind, name)


def _columns(
    signs: list[Sign], pooled: Pooled, labels: np.ndarray, has_train: bool
) -> tuple[tuple[str, ...], str]:
    """Return the columns where the true labels stand out most, and in what; none if all do."""
    named = [sign for sign in signs if sign.names]
    if not named:
        return (), ""
    most = max(named, key=lambda sign: sign.parts[:, 0].max())
    name = most.names[int(most.parts[:, 0].argmax())]
    if most.kind == "rule":
        of = {rule.text: rule.columns for rule in pooled.rules}
        return of[name], _words("rule", name)
    for alone in (sign for sign in named if sign.kind == "alone"):
        of_shuffled = np.quantile(alone.parts.max(axis=0)[1:], 1 - LEVEL)
        if alone.parts[:, 0].max() > of_shuffled:  # the simplest of the reasons that hold
            name = alone.names[int(alone.parts[:, 0].argmax())]
            return (name,), _words("alone", name)
    if most.kind == "usual" and has_train and _followed(signs):
        return (), ""
    other = pooled.partner(name, labels) if most.kind == "usual" else None
    if other is None:
        return (name,), _words(most.kind, name)
    one, two = (shortened(column, MAX_NAME) for column in (name, other))
    return (name, other), f"how columns {one!r} and {two!r} go together"


def _words(kind: str, name: str) -> str:
    """Return a kind of sign in words, with the name of a column, or the text of a rule."""
    return WORDS[kind].format(name if kind == "rule" else shortened(name, MAX_NAME))
