"""Every registered class against every law, and proof that none is missed."""

from __future__ import annotations

import inspect

import pytest
from sklearn.base import clone

import tabseed
from tabseed import testing
from tabseed.generators import GENERATORS, Generator, generator_class
from tabseed.generators.ensemble import Training
from tabseed.metrics import METRICS, DiscriminatorDivergence, Metric

BRIEF = Training(steps=300, patience=4)  # laws hold at any length; these runs need not be good


def instances() -> dict[str, object]:
    """Every registered class, neural ones with few seeds; variants that a flag switches."""
    found: dict[str, object] = {}
    for name in GENERATORS:
        made = generator_class(name)()
        if "n_seeds" in made.get_params():
            made.set_params(n_seeds=3, training=BRIEF, device="cpu")
        found[name] = made
    found["vaebgm paper"] = generator_class("vaebgm")(n_seeds=3, paper=True, device="cpu")
    found["resample smoothed"] = generator_class("resample")(smoothing=0.5)
    for name, cls in METRICS.items():
        found[name] = cls()
    found["divergence"] = DiscriminatorDivergence(
        views=("plain",), permutations=0, folds=3, repeats=2
    )
    return found


CASES = [
    pytest.param(check, name, id=f"{name}-{check.__name__.removeprefix('check_')}")
    for name, made in instances().items()
    for check in testing.checks_of(made)
]


@pytest.mark.parametrize(("check", "name"), CASES)
def test_law(check, name) -> None:
    check(clone(instances()[name]))


def test_no_class_and_no_check_is_missed() -> None:
    tested = {type(made) for made in instances().values()}
    public = {getattr(tabseed, name) for name in tabseed.__all__}
    family = {
        c
        for c in public
        if inspect.isclass(c) and issubclass(c, Generator | Metric) and c is not Generator
    }
    assert family <= tested
    assert {generator_class(n) for n in GENERATORS} | set(METRICS.values()) <= tested
    written = {f for n, f in vars(testing).items() if n.startswith("check_")}
    run = {*testing.GENERATOR_CHECKS, *testing.NEURAL_CHECKS, *testing.METRIC_CHECKS}
    assert written - run == {testing.check_generator, testing.check_metric}


def test_laws_catch_what_breaks_them() -> None:
    """Generators with one fault each fail the law that names it."""
    resample = generator_class("resample")

    class Unseeded(resample):
        def _sample(self, n, rng):
            import numpy as np

            return super()._sample(n, np.random.default_rng())

    class Torn(resample):
        def _sample(self, n, rng):
            cells = self.encoder_.layout_.cells(super()._sample(n, rng))
            return self.encoder_.layout_.from_cells([rng.permutation(c) for c in cells], rng)

    class NoMissing(resample):
        def _sample(self, n, rng):
            import numpy as np

            rows = self.rows_
            layout = self.encoder_.layout_
            whole = [~np.isnan(layout.values(b, rows)) for b in layout.blocks]
            kept = rows[np.logical_and.reduce(whole)]
            return kept[rng.integers(0, len(kept), n)]

    for broken, check in (
        (Unseeded, testing.check_seed_decides_everything),
        (Torn, testing.check_better_than_torn_columns),
        (NoMissing, testing.check_missing_cells_keep_their_share),
    ):
        with pytest.raises(AssertionError):
            check(broken())
