"""Every registered class against every law, and a check that none is missed."""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
from importlib import import_module

import numpy as np
import pytest
from sklearn.base import clone

import tabseed
from tabseed import testing
from tabseed.archive import UNDECLARED
from tabseed.augment.augmenter import TargetedAugmenter, TargetedRegressionAugmenter
from tabseed.augment.quota import Quota
from tabseed.augment.stopping import KSStopped
from tabseed.auto import Auto
from tabseed.blend import Blend
from tabseed.generators import GENERATORS, generator_class
from tabseed.generators.base import Generator
from tabseed.generators.neural.paper import PaperVAEBGM
from tabseed.generators.neural.stopping import Training
from tabseed.hardness import SCORERS, scorer_class
from tabseed.hardness.base import HardnessScorer
from tabseed.hardness.dynamics.mlp import MLP
from tabseed.inductive_bias import BIASES, bias_class
from tabseed.inductive_bias.base import InductiveBias
from tabseed.inductive_bias.fine_tuned import FineTuned
from tabseed.inductive_bias.maml import MetaTraining
from tabseed.metrics import METRICS, ChiSquareDivergence, DiscriminatorDivergence, Metric
from tabseed.saved import WRAPPERS
from tabseed.testing.laws import laws_in

Augmenter = TargetedAugmenter | TargetedRegressionAugmenter

BRIEF = Training(steps=300, patience=4)  # laws hold at any length; these runs need not be good

# settings with which a generator is quick
SMALL: dict[str, dict[str, object]] = {
    "ctgan": {
        "hidden_dim": 32,
        "training": Training(steps=250, warm_up=200, learning_rate=5e-3, validate_every=25),
    },
    "tvae": {"latent_dim": 8, "hidden_dim": 64, "training": BRIEF},
}

META = MetaTraining(40, 40, inner_steps=2, steps=4, check_every=2)

# settings besides the number of seeds with which a bias is quick
SETTINGS: dict[str, dict[str, object]] = {
    "pretrain": {"n_rows": 300},
    "maml": {"n_rows": 100, "meta": META, "must_improve": False},
    "drs": {"n_rows": 300},
}


def bias(name: str, **settings: object) -> InductiveBias:
    return bias_class(name)(n_seeds=3, **{**SETTINGS.get(name, {}), **settings})


def instances() -> dict[str, object]:
    """Return every registered class, with few seeds, and its variants by settings."""
    result: dict[str, object] = {}
    for name in GENERATORS:
        model = generator_class(name)()
        if "n_seeds" in model.get_params():
            model.set_params(n_seeds=3, device="cpu", **SMALL.get(name, {"training": BRIEF}))
        result[name] = model
    vaebgm = generator_class("vaebgm")
    authors = PaperVAEBGM(None).training(testing.N_ROWS)
    result["vaebgm paper"] = vaebgm(n_seeds=3, paper=True, training=authors, device="cpu")
    result["resample smoothed"] = generator_class("resample")(smoothing=0.5)
    result["two-stage knn"] = generator_class("two-stage")(result["smote"], "knn", "gaussian")
    inner = vaebgm(n_seeds=3, training=BRIEF, device="cpu")
    result["ks-stopped"] = KSStopped(result["tvae"])
    result["fine-tuned average"] = FineTuned(inner, bias("average"))
    result["fine-tuned mixture"] = FineTuned(inner, bias("mixture"))
    result["fine-tuned ctgan"] = FineTuned(result["ctgan"], bias("pretrain"))
    result["fine-tuned tvae"] = FineTuned(result["tvae"], bias("average"))
    result["fine-tuned taught"] = FineTuned(
        inner, bias("pretrain", teacher=generator_class("trees")())
    )
    trees, copula = generator_class("trees")(n_orders=4), generator_class("copula")()
    result["blend"] = Blend([trees, copula], folds=2)
    result["auto"] = Auto(candidates={"trees": trees, "copula": copula}, folds=2)
    for name, cls in METRICS.items():
        result[name] = cls()
    result["divergence"] = DiscriminatorDivergence(
        views=("plain",), permutations=0, folds=3, repeats=2
    )
    result["chi2"] = ChiSquareDivergence(permutations=3)
    for name in SCORERS:
        model = scorer_class(name)()
        if "epochs" in model.get_params():
            model.set_params(n_seeds=2)
            trees = clone(model).set_params(model="trees", n_seeds=1, epochs=10)
            if not model.needs_network:
                result[f"{name} trees"] = trees
        result[name] = model
    shapley = scorer_class("knn-shapley")
    result["knn-shapley stable"] = shapley(ties="stable", n_neighbors=(3, 1))
    result["knn-shapley truncated"] = shapley(truncate=0.1)
    return result | biases() | augmenters() | settings()


def biases() -> dict[str, object]:
    """Return every registered bias, with few seeds, and its variants by settings."""
    result: dict[str, object] = {}
    for name in BIASES:
        result[f"bias {name}"] = bias(name)
    few = [bias("continued"), bias("small-init")]
    result["bias auto"] = bias("auto", candidates=few, folds=2)
    result["bias average branched"] = bias("average", branches=20)
    result["bias average top"] = bias("average", top=2)
    result["bias maml second"] = bias("maml", order="second", start="average")
    result["bias maml reptile"] = bias("maml", order="reptile", start="fresh")
    result["bias drs loss"] = bias("drs", seed_weights="loss", n_networks=2)
    result["bias stage-one pretrain"] = bias("stage-one", bias=bias("pretrain"))
    trees, copula = generator_class("trees")(), generator_class("copula")()
    result["bias pretrain taught"] = bias("pretrain", teacher=trees)
    result["bias drs taught"] = bias("drs", teachers=[trees, copula], seed_weights=[3, 1])
    result["bias maml taught"] = bias("maml", teachers=[trees, copula])
    result["bias maml taught fresh"] = bias("maml", teachers=[trees, copula], start="fresh")
    result["bias mixture average"] = bias("mixture", bias=bias("average"))
    return result


def settings() -> dict[str, object]:
    """Return instances of the other classes that declare parameters."""
    return {
        "training": BRIEF,
        "meta-training": META,
        "network": MLP(),
        "measuring": tabseed.Measuring(),
        "mixing": tabseed.Mixing(),
        "protocol": tabseed.AugmentationProtocol(),
        "tuner": tabseed.Tuner({"family": {"x": tabseed.Float(0.0, 1.0)}}),
        "encoder": tabseed.TableEncoder(),
        "disclosure": tabseed.AttributeDisclosure(["level"]),
        "membership": tabseed.MembershipInference(),
        "privacy": tabseed.Privacy(["level"]),
        "likeness": tabseed.Likeness(),
        "usefulness": tabseed.Usefulness(),
        "questions": tabseed.Questions(),
    }


def augmenters() -> dict[str, object]:
    smote, copula = generator_class("smote")(), generator_class("copula")()
    scorer = scorer_class("knn-shapley")(n_neighbors=3)
    settings = {"amount": 1.5, "per_class": True, "provenance": "new"}
    return {
        "augmenter": TargetedAugmenter(smote),
        "augmenter per class": TargetedAugmenter(copula, scorer, **settings),
        "regression augmenter": TargetedRegressionAugmenter(copula),
    }


def short(made: object) -> object:
    """The same with few steps in each of its trainings."""
    if not hasattr(made, "get_params"):
        return made
    made = clone(made)
    for name, value in made.get_params().items():
        if isinstance(value, Training):
            brief = dataclasses.replace(
                value, steps=60, warm_up=min(20, value.warm_up), validate_every=5
            )
            made.set_params(**{name: brief})
    return made


# These laws are about what was learned; the others hold after any number of steps.
LEARNED = (testing.check_better_than_torn_columns, testing.check_missing_cells_keep_their_share)

LONG = instances()
SHORT = {name: short(made) for name, made in LONG.items()}


def is_slow(check, name: str) -> bool:
    """Generators that train networks, all but one; what fits many forests or judges."""
    if check in testing.LAWS["parameters"]:
        return False
    if check in LEARNED or name in ("arf", "two-stage", "chi2", "divergence", "detector"):
        return True
    made = LONG[name]
    trained = isinstance(made, FineTuned | KSStopped) or hasattr(made, "training")
    return (trained and name != "vaebgm") or name == "bias auto"


CASES = [
    pytest.param(
        check,
        name,
        id=f"{name}-{check.__name__.removeprefix('check_')}",
        marks=[pytest.mark.slow] * is_slow(check, name),
    )
    for name, made in LONG.items()
    for check in testing.checks_of(made)
]


# unrelated seeds are nearly orthogonal, and averaging warns of it
@pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")
@pytest.mark.parametrize(("check", "name"), CASES)
def test_law(check, name) -> None:
    check((LONG if check in LEARNED else SHORT)[name])


def test_no_class_and_no_check_is_missed() -> None:
    tested = {type(made) for made in LONG.values()}
    public = {getattr(tabseed, name) for name in tabseed.__all__}
    family = {
        c
        for c in public
        if inspect.isclass(c)
        and issubclass(c, Generator | Metric | InductiveBias | HardnessScorer | Augmenter)
        and c not in (Generator, InductiveBias, HardnessScorer)
    }
    # its noise is drawn anew each time, which no seed may decide, and it needs OpenDP
    private = {tabseed.PrivateMarginals}  # tests/generators/private
    assert family - private <= tested
    declaring = {c for c in public if inspect.isclass(c) and getattr(c, "parameters", None)}
    assert declaring - private <= tested
    registered = {generator_class(n) for n in GENERATORS} | set(METRICS.values())
    registered |= {bias_class(n) for n in BIASES} | {scorer_class(n) for n in SCORERS}
    assert registered <= tested
    assert {name for _, name in WRAPPERS} <= {cls.__name__ for cls in tested}
    written = set()
    for file in pkgutil.iter_modules(testing.__path__, "tabseed.testing."):
        written |= set(laws_in(import_module(file.name)))
    laws = {check for checks in testing.LAWS.values() for check in checks}
    run = {check for case in CASES for check in case.values[:1]}
    assert written == laws == run


def test_checks_are_found_by_name() -> None:
    names = [check.__name__ for checks in testing.LAWS.values() for check in checks]
    assert len(names) == len(set(names)) > 40
    assert all(getattr(testing, name).__name__ == name for name in names)
    with pytest.raises(AttributeError, match="check_nothing"):
        testing.check_nothing  # noqa: B018
    example = testing.tables.example_table
    assert example not in laws_in(testing.tables) == laws_in(testing.laws) == ()


def test_laws_catch_generators_that_break_them() -> None:
    """Each generator with one fault fails the law about it."""
    resample = generator_class("resample")

    class Unseeded(resample):
        def _sample(self, n, rng):
            return super()._sample(n, np.random.default_rng())

    class Shuffled(resample):
        def _sample(self, n, rng):
            cells = self.encoder_.layout_.cells(super()._sample(n, rng))
            return self.encoder_.layout_.from_cells([rng.permutation(c) for c in cells], rng)

    class NoMissing(resample):
        def _sample(self, n, rng):
            rows = self.rows_
            layout = self.encoder_.layout_
            whole = [~np.isnan(layout.values(b, rows)) for b in layout.blocks]
            rows = rows[np.logical_and.reduce(whole)]
            return rows[rng.integers(0, len(rows), n)]

    class Bridging(resample):
        def _sample(self, n, rng):
            layout = self.encoder_.layout_
            rows = layout.columns(self.rows_[rng.integers(0, len(self.rows_), 2 * n)])
            middle = rng.random(n) < 0.02
            values = [np.where(middle, (c[:n] + c[n:]) / 2, c[:n]) for c in rows.T]
            return layout.from_values(values)

    class Swollen(resample):
        def _fit(self, x, layout, stream, aids):
            weight = layout.columns(x)[:, -4]
            self.rows_ = np.concatenate([x, *[x[weight == 213]] * 15])

    class Unchecked(resample):
        def fit(self, table, **options):
            self.set_params(smoothing=0.0, random_state=0)
            return super().fit(table, **options)

    class Undeclared(resample):
        def __init__(self, smoothing=0.0, copies=1, random_state=0):
            super().__init__(smoothing, random_state)
            self.copies = copies

    class Outside(resample):
        search_space = {"smoothing": tabseed.Float(-1.0, 1.0)}

    class Silent(resample):
        holds = UNDECLARED

    class Discreet(resample):
        holds = generator_class("copula").holds

    class Spread(Discreet):  # the numbers, in arrays of other lengths
        def _state(self):
            return {}, {"all": self.rows_.ravel()}

    class Boastful(generator_class("copula")):
        holds = resample.holds

    for broken in (Silent, Discreet, Spread, Boastful):
        with pytest.raises(AssertionError):
            testing.check_the_model_file_holds_what_is_declared(broken())
    for broken, check in (
        (Unchecked, testing.check_bad_parameters_are_refused),
        (Undeclared, testing.check_parameters_are_declared),
        (Outside, testing.check_parameters_are_declared),
        (Unseeded, testing.check_seed_decides_everything),
        (Shuffled, testing.check_better_than_torn_columns),
        (Bridging, testing.check_stretches_without_rows_stay_empty),
        (Swollen, testing.check_stretches_without_rows_stay_empty),
        (NoMissing, testing.check_missing_cells_keep_their_share),
    ):
        with pytest.raises(AssertionError):
            check(broken())


@pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")
def test_laws_catch_biases_that_break_them() -> None:
    """Each bias with one fault fails the law about it."""
    continued, average = bias_class("continued"), bias_class("average")

    class FirstHanded(continued):
        def initial_weights(self, ensemble, bench):
            return ensemble.of_seeds([0])

    class Unseeded(continued):
        def _initial_weights(self, ensemble, bench):
            return bench.model.network_.initial_weights(np.random.default_rng())

    class Flat(continued):
        def _initial_weights(self, ensemble, bench):
            return {k: v[0] for k, v in ensemble.weights.items()}

    class InPlace(continued):
        def initial_weights(self, ensemble, bench):
            for value in ensemble.weights.values():
                value *= 0.5
            return ensemble.weights

    class Scaled(average):
        def _initial_weights(self, ensemble, bench):
            weights = super()._initial_weights(ensemble, bench)
            return {k: (v * 1.0001).astype(v.dtype) for k, v in weights.items()}

    for broken, check in (
        (FirstHanded, testing.check_order_of_seeds_is_irrelevant),
        (Unseeded, testing.check_bias_seed_decides_everything),
        (Flat, testing.check_weights_fit_the_network),
        (InPlace, testing.check_initial_weights_change_nothing),
        (Scaled, testing.check_average_of_equal_weights_is_that_weight),
        (Scaled, testing.check_only_float_tensors_are_averaged),
    ):
        with pytest.raises(AssertionError):
            check(broken(n_seeds=3))


def test_laws_catch_scorers_that_break_them() -> None:
    """Each scorer with one fault fails the law about it."""
    shapley = scorer_class("knn-shapley")

    class UpsideDown(shapley):
        def fit(self, X, y, **options):
            super().fit(X, y, **options)
            self.scores_ = -self.scores_
            return self

    class ByIndex(shapley):
        def fit(self, X, y, **options):
            super().fit(X, y, **options)
            self.scores_ = self.scores_ + np.arange(len(y))
            return self

    class Unseeded(shapley):
        def fit(self, X, y, **options):
            super().fit(X, y, **options)
            self.scores_ = self.scores_ + np.random.default_rng().normal(size=len(y))
            return self

    class ByName(shapley):
        def fit(self, X, y, **options):
            super().fit(X, y, **options)
            self.scores_ = self.scores_ + np.array([len(str(label)) for label in y])
            return self

    class Gappy(shapley):
        def fit(self, X, y, **options):
            super().fit(X, y, **options)
            self.scores_ = np.where(np.arange(len(y)) == 0, np.nan, self.scores_)
            return self

    for broken, check in (
        (UpsideDown, testing.check_a_flipped_label_in_a_clean_cluster_ranks_first),
        (ByIndex, testing.check_permuting_rows_permutes_scores),
        (Unseeded, testing.check_scorer_seed_decides_everything),
        (ByName, testing.check_labels_are_names),
        (Gappy, testing.check_odd_rows_are_scored_or_refused),
    ):
        with pytest.raises(AssertionError):
            check(broken())


def test_laws_catch_augmenters_that_break_them() -> None:
    """Each augmenter with one fault fails the law about it."""
    resample = generator_class("resample")

    class Sorted(TargetedAugmenter):
        def fit_resample(self, X, y):
            X, y = super().fit_resample(X, y)
            return X[::-1], y[::-1]

    class Easiest(TargetedAugmenter):
        def choose(self, rows, stream):
            hard = super().choose(rows, stream)
            if hard.hardness is None:
                return hard
            indices = np.sort(np.argsort(hard.hardness)[: len(hard.indices)])
            return dataclasses.replace(hard, indices=indices)

    class Deaf(TargetedAugmenter):
        def _allowed(self, rows):
            return np.ones(len(rows), dtype=bool)

    class Tenfold(TargetedAugmenter):
        def quota(self, rows, hard):
            return Quota(10 * super().quota(rows, hard).m)

    class Lossy(TargetedAugmenter):
        def fit_resample(self, X, y):
            X, y = super().fit_resample(X, y)
            return X, y.astype(object) if isinstance(y, np.ndarray) else y

    for broken, check in (
        (Sorted, testing.check_originals_come_first_and_stay),
        (Easiest, testing.check_hard_rows_are_the_hardest),
        (Deaf, testing.check_skip_leaves_hinted_rows_out),
        (Tenfold, testing.check_added_rows_follow_amount),
        (Lossy, testing.check_the_kind_of_rows_comes_back),
    ):
        with pytest.raises(AssertionError):
            check(broken(resample()))


def test_laws_catch_augmenters_that_break_others() -> None:
    resample = generator_class("resample")

    class Unseeded(TargetedAugmenter):
        def learned(self, rows, stream):
            return super().learned(rows, np.random.SeedSequence())

        def fit_resample(self, X, y):
            return super(Unseeded, self.set_params(random_state=None)).fit_resample(X, y)

    class Forgetful(TargetedAugmenter):
        def fit_resample(self, X, y):
            result = super().fit_resample(X, y)
            self.sample_indices_ = np.arange(len(self.sample_indices_))
            return result

    class ByName(TargetedAugmenter):
        def quota(self, rows, hard):
            return Quota(super().quota(rows, hard).m + len(str(self.names_)))

        def choose(self, rows, stream):
            self.names_ = rows.classes[0]
            return super().choose(rows, stream)

    class InPlace(TargetedAugmenter):
        def fit_resample(self, X, y):
            if isinstance(y, np.ndarray):
                y[:] = y[::-1].copy()
            return super().fit_resample(X, y)

    class Partial(TargetedAugmenter):
        def choose(self, rows, stream):
            hard = super().choose(rows, stream)
            return dataclasses.replace(hard, indices=hard.indices[1:])

    for broken, check in (
        (Unseeded, testing.check_augmenter_seed_decides_everything),
        (Forgetful, testing.check_added_rows_are_told_apart),
        (ByName, testing.check_names_of_classes_do_not_matter),
        (InPlace, testing.check_augmenter_changes_no_input),
        (Partial, testing.check_hardest_one_learns_all_rows),
    ):
        with pytest.raises(AssertionError):
            check(broken(resample()))
