"""Wrong arguments of every public function and method: one line of a TabseedError, nothing raw.

Each case is a call that works, with its arguments; each argument in turn gets every value of WRONG.
A value that happens to be allowed may work; any other error than tabseed's own fails.
"""

from __future__ import annotations

import functools
import inspect
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import tabseed as ts
from tabseed.errors import TabseedError
from tabseed.generators import GENERATORS
from tabseed.hardness import SCORERS
from tabseed.inductive_bias import BIASES

WRONG = [
    None, True, -1, 0, 1.5, math.nan, "a", "", [], {}, (), object(), [1], ["y"], int,
    lambda *_: None,
    np.zeros(3), np.zeros((2, 2)), pd.NA, b"x", {"y": 1}, ts.Resample, DecisionTreeClassifier(),
]  # fmt: skip
TREE = DecisionTreeClassifier(max_depth=2)
FITTED_BY_LAWS = {name for of in (GENERATORS, SCORERS, BIASES) for _, name in of.values()}
FITTED_BY_LAWS |= {"Blend", "Auto"}
"""Classes whose parameters the laws check, with values beyond each end (tests/test_laws.py)."""
ANSWERS = {
    "AugmentationEvaluation", "Comparison", "Evaluation", "HardnessAssessment", "Measured",
    "Perturbed", "Study", "TuningReport", "UtilityReport", "KSStopped", "Generator",
    "HardnessScorer", "InductiveBias", "FineTuned", "MembershipResult", "DisclosureResult",
    "PrivacyReport", "LikenessReport", "Verification", "Decision", "Advice",
}  # fmt: skip
"""What functions return, base classes, and what needs a network to be called."""


def table(seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=60)
    return pa.table(
        {
            "x": x,
            "z": rng.normal(size=60),
            "c": rng.choice(["a", "b", "d"], 60),
            "y": np.where(x + rng.normal(size=60) > 0, "u", "v"),
        }
    )


TRAIN, SYNTHETIC, HOLDOUT = table(0), table(1), table(2)
X, Y = TRAIN.drop_columns(["y"]), TRAIN["y"].to_pylist()
AS_TABLE = ts.Table.from_frame(TRAIN)
SCHEMA = AS_TABLE.schema
FITTED = ts.Resample(random_state=0).fit(TRAIN)
POINTS = np.column_stack([TRAIN["x"], TRAIN["z"]])
OF_THREE = {"train": TRAIN, "synthetic": SYNTHETIC, "holdout": HOLDOUT, "target": "y"}


def objective(family, settings, stream) -> float:
    return 0.5


def tuner() -> ts.Tuner:
    return ts.Tuner({"a": {"p": ts.Float(0, 1)}}, random_state=0)


def measuring(**changes) -> ts.Measuring:
    return ts.Measuring(**{"models": {"tree": TREE}, "seeds": 1, **changes})


def pair() -> ts.Measuring:
    return measuring(models={"a": TREE, "b": DecisionTreeClassifier(max_depth=1)})


@functools.cache
def small_trees() -> ts.SequentialTrees:
    return ts.SequentialTrees(n_orders=1, n_trees=1, random_state=0).fit(TRAIN)


@functools.cache
def measured() -> ts.Measured:
    return ts.measure(**OF_THREE, settings=measuring())


def quick(**cases: object) -> list:
    return [pytest.param(*case, id=name) for name, case in cases.items()]


def slow(**cases: object) -> list:
    return [pytest.param(*case, id=name, marks=pytest.mark.slow) for name, case in cases.items()]


# name of the public function or class, or of it and a method: the call, and arguments that work
CASES = quick(
    Resample_fit=(
        lambda **k: ts.Resample().fit(**k),
        {"table": TRAIN, "target": "y", "encoder": None, "progress": None, "checkpoint": None,
         "watch": None},
    ),
    Resample_sample=(FITTED.sample, {"n": 3, "conditions": None, "random_state": 0}),
    Resample_draw=(FITTED.draw, {"n": 3, "conditions": None, "random_state": 0}),
    PrivateMarginals_fit=(
        # without a public schema, so that no value gets as far as OpenDP
        lambda table, target, public: ts.PrivateMarginals(public=public).fit(table, target=target),
        {"table": TRAIN, "target": None, "public": None},
    ),
    Table_from_frame=(ts.Table.from_frame, {"frame": TRAIN, "schema": None, "kinds": None}),
    Table_kinds=(lambda kind: ts.Table.from_frame(TRAIN, kinds={"x": kind}), {"kind": "text"}),
    Table_split=(AS_TABLE.split, {"share": 0.5, "stratify": "y", "random_state": 0}),
    Table_numbers=(AS_TABLE.numbers, {"name": "x"}),
    Table_codes=(AS_TABLE.codes, {"name": "c"}),
    Table_take=(AS_TABLE.take, {"rows": [0, 1]}),
    Table_select=(AS_TABLE.select, {"schema": SCHEMA}),
    Column=(
        ts.Column,
        {"name": "a", "kind": "integer", "reason": "", "categories": (), "datetime_format": None},
    ),
    Schema=(ts.Schema, {"columns": SCHEMA.columns}),
    Schema_with_column=(SCHEMA.with_column, {"column": SCHEMA.columns[0]}),
    Schema_from_dict=(ts.Schema.from_dict, {"data": SCHEMA.to_dict()}),
    TableEncoder_fit=(lambda **k: ts.TableEncoder().fit(**k), {"table": AS_TABLE}),
    TableEncoder_transform=(FITTED.encoder_.transform, {"table": AS_TABLE}),
    TableEncoder_inverse_transform=(
        FITTED.encoder_.inverse_transform, {"x": FITTED.encoder_.transform(AS_TABLE)},
    ),
    KNNShapley_fit=(
        lambda **k: ts.KNNShapley().fit(**k),
        {"X": POINTS, "y": Y, "reference": (POINTS, Y), "folds": None, "task": None},
    ),
    perturb=(
        ts.perturb,
        {"X": X, "y": Y, "kind": "uniform", "share": 0.1, "amount": None, "rates": None,
         "columns": None, "random_state": 0},
    ),
    TrainingDynamics=(
        ts.TrainingDynamics, {"outputs": np.full((2, 3, 4, 2), 0.5), "centre": 0.0, "spread": 1.0},
    ),
    density_ratio_tail=(
        ts.density_ratio_tail,
        {"r": np.linspace(0.5, 3, 50), "thresholds": (2.0,), "tail_share": 0.2},
    ),
    combine_estimates=(
        ts.combine_estimates,
        {"estimates": [1.0, 2.0], "variances": [0.1, 0.1], "n": 50, "k": 50, "rule": "simple",
         "level": 0.05},
    ),
    swap_design=(
        lambda **k: ts.swap_design(np.zeros_like, **k),
        {"real": (np.zeros(9), np.ones(9)), "synthetic": (np.zeros(9), np.ones(9)),
         "sampled": np.zeros(9), "loss": "squared", "ratio": None, "oracle": None},
    ),
    Mixing=(
        ts.Mixing, {"folds": 3, "repeats": 1, "draws": 1, "n_jobs": None, "progress": None},
    ),
    AugmentationProtocol=(
        ts.AugmentationProtocol,
        {"splits": 2, "test": 0.3, "draws": 1, "validation": 0.2, "arms": ("random",),
         "level": 0.05},
    ),
    Choice=(ts.Choice, {"values": (1, 2)}),
    Float=(ts.Float, {"low": 0, "high": 1, "log": False}),
    Int=(ts.Int, {"low": 1, "high": 2, "log": False}),
    Training=(ts.Training, {"steps": 3, "validation": 0.2, "stopper": "relative"}),
    MetaTraining=(ts.MetaTraining, {"steps": 3, "rate": 0.1, "resample": True}),
    parallel_coordinates=(ts.parallel_coordinates, {"study": tuner().run(objective, trials=1)}),
    load=(ts.load, {"path": "nowhere.tabseed"}),
    read_schema=(ts.read_schema, {"path": "nowhere.json"}),
    find_rules=(ts.find_rules, {"table": TRAIN}),
    find_slips=(ts.find_slips, {"table": TRAIN}),
    with_fresh_ids=(
        ts.with_fresh_ids, {"synthetic": AS_TABLE, "real": AS_TABLE, "random_state": 0},
    ),
    rules_from_sdv=(ts.rules_from_sdv, {"constraints": []}),
    rules_to_sdv=(ts.rules_to_sdv, {"rules": ["x >= 0"]}),
) + slow(
    read_table=(
        ts.read_table,
        {"path": "nowhere.csv", "sql": None, "encoding": "utf-8", "text_columns": (),
         "decimal": None, "thousands": None},
    ),
    MarginalDistance=(
        ts.MarginalDistance(n_bootstrap=3).evaluate,
        {"real": TRAIN, "synthetic": SYNTHETIC, "random_state": 0},
    ),
    PairDistance=(
        ts.PairDistance(permutations=0).evaluate,
        {"real": TRAIN, "synthetic": SYNTHETIC, "random_state": 0},
    ),
    Coverage=(
        ts.Coverage(permutations=0).evaluate,
        {"real": TRAIN, "synthetic": SYNTHETIC, "random_state": 0},
    ),
    complete=(
        lambda **k: ts.complete(small_trees(), **k),
        {"table": X.slice(0, 3), "copies": 1, "sweeps": 1, "random_state": 0, "progress": None},
    ),
    Likeness=(
        ts.Likeness(permutations=139, judges=False).evaluate,
        {"train": TRAIN, "synthetic": SYNTHETIC, "holdout": HOLDOUT, "schema": None,
         "random_state": 0},
    ),
    DiscriminatorDivergence=(
        ts.DiscriminatorDivergence(views=("coarse",), folds=2, repeats=1, permutations=0).evaluate,
        {"real": TRAIN, "synthetic": SYNTHETIC, "random_state": 0},
    ),
    MembershipInference=(
        lambda **k: ts.MembershipInference(permutations=99).evaluate(TRAIN, SYNTHETIC, **k),
        {"holdout": HOLDOUT, "random_state": 0, "refit": None, "likelihood": None,
         "learn": None, "progress": None},
    ),
    MembershipInference_settings=(
        lambda **k: ts.MembershipInference(**k).evaluate(TRAIN, SYNTHETIC, HOLDOUT),
        {"permutations": 99, "shadows": 8, "max_rows": 50, "n_jobs": None},
    ),
    TwoSampleTest=(
        ts.TwoSampleTest(permutations=19).evaluate,
        {"real": TRAIN, "synthetic": SYNTHETIC, "random_state": 0},
    ),
    ChiSquareDivergence=(
        ts.ChiSquareDivergence(folds=2, permutations=2).evaluate,
        {"real": TRAIN, "synthetic": SYNTHETIC, "random_state": 0},
    ),
    AttributeDisclosure=(
        lambda **k: ts.AttributeDisclosure(**k).evaluate(TRAIN, SYNTHETIC, HOLDOUT),
        {"sensitive": ["y"], "keys": ["c"], "max_keys": 2, "bins": 3, "cuts": {"x": [0.0]},
         "max_rows": 20},
    ),
    AttributeDisclosure_evaluate=(
        ts.AttributeDisclosure(["y"], max_rows=20).evaluate,
        {"train": TRAIN, "synthetic": SYNTHETIC, "holdout": None, "random_state": 0},
    ),
    Privacy=(
        lambda **k: ts.Privacy(**k).evaluate(TRAIN, SYNTHETIC),
        {"sensitive": ["y"], "keys": ["c"], "bins": 3, "cuts": {"x": [0.0]}, "max_auc": 0.6,
         "max_disclosure": 0.1, "membership": None},
    ),
    Privacy_evaluate=(
        ts.Privacy().evaluate,
        {"train": TRAIN, "synthetic": SYNTHETIC, "holdout": None, "random_state": 0,
         "refit": None, "likelihood": None, "holds": None},
    ),
    Questions=(
        ts.Questions,
        {"likeness": None, "usefulness": None, "privacy": None, "refit": None, "likelihood": None,
         "holds": None},
    ),
    Usefulness=(
        lambda **k: ts.Usefulness(**k).evaluate(TRAIN, SYNTHETIC, HOLDOUT, "y"),
        {"models": {"tree": TREE, "stump": DecisionTreeClassifier(max_depth=1)}, "seeds": 1,
         "max_rows": 50, "n_jobs": None},
    ),
    Usefulness_evaluate=(
        ts.Usefulness(models={"tree": TREE, "stump": DecisionTreeClassifier(max_depth=1)}).evaluate,
        {"train": TRAIN, "synthetic": SYNTHETIC, "holdout": HOLDOUT, "target": "y",
         "schema": None, "random_state": 0},
    ),
    assess_hardness=(
        ts.assess_hardness,
        {"table": TRAIN, "target": "y", "scorer": ts.KNNShapley(), "reference": None,
         "folds": None},
    ),
    advise=(
        ts.advise, {"train": TRAIN, "target": "y", "random_state": 0, "progress": None},
    ),
    independent_sets=(
        ts.independent_sets,
        {"generator": ts.Resample(), "table": TRAIN, "n": 5, "m": 1, "target": "y",
         "random_state": 0},
    ),
    measure=(ts.measure, {**OF_THREE, "settings": measuring(), "random_state": 0}),
    Measuring=(measuring, {"models": {"tree": TREE}, "seeds": 1, "responses": None,
                           "n_jobs": None, "progress": None}),
    utility_bound=(
        lambda chi2: ts.utility_bound(measured(), chi2), {"chi2": 0.3},
    ),
    utility_bound_measured=(
        lambda measured: ts.utility_bound(measured, 0.3), {"measured": None},
    ),
    generalization_utility=(
        ts.generalization_utility,
        {**OF_THREE, "settings": ts.Measuring(seeds=1), "random_state": 0, "model": TREE},
    ),
    utility_decomposition=(
        ts.utility_decomposition,
        {**OF_THREE, "settings": ts.Measuring(seeds=1), "random_state": 0, "model": TREE},
    ),
    ranking_consistency=(
        lambda **k: ts.ranking_consistency(**OF_THREE, settings=pair(), **k),
        {"brier": False, "draws": 10, "random_state": 0},
    ),
    tune_mix=(
        ts.tune_mix,
        {"train": TRAIN, "generator": ts.Resample(), "target": "y", "model": TREE,
         "weights": (0.5,), "amounts": (0.5,), "settings": ts.Mixing(folds=3, repeats=1),
         "random_state": 0},
    ),
    Tuner=(
        lambda **k: ts.Tuner(**k).run(objective, trials=1),
        {"spaces": {"a": {"p": ts.Float(0, 1)}}, "defaults": None, "selector": "ucb1",
         "proposer": "ei", "n_initial": None, "name": "s", "random_state": 0},
    ),
    Tuner_run=(
        lambda **k: tuner().run(**k),
        {"objective": objective, "trials": 1, "minutes": None, "n_jobs": None, "about": None,
         "progress": None},
    ),
    TargetedAugmenter=(
        lambda **k: ts.TargetedAugmenter(ts.Resample(), hardest=0.3).fit_resample(**k),
        {"X": X, "y": Y},
    ),
    TargetedRegressionAugmenter=(
        lambda **k: ts.TargetedRegressionAugmenter(ts.Resample()).fit_resample(**k),
        {"X": X, "y": TRAIN["x"].to_numpy()},
    ),
    evaluate_augmentation=(
        ts.evaluate_augmentation,
        {"X": X, "y": Y, "augmenter": ts.TargetedAugmenter(ts.Resample(), hardest=0.3),
         "model": TREE, "protocol": ts.AugmentationProtocol(splits=2, draws=1, arms=("random",)),
         "random_state": 0, "n_jobs": None, "progress": None},
    ),
    ImportanceKS=(
        ts.ImportanceKS, {"real": TRAIN, "target": "y", "importances": {}, "random_state": 0},
    ),
)  # fmt: skip


@pytest.mark.parametrize(("call", "arguments"), CASES)
def test_wrong_arguments_are_refused_in_one_line(call, arguments, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in arguments:
        for value in WRONG:
            try:
                call(**{**arguments, name: value})
            except (TabseedError, NotFittedError) as error:
                assert "\n" not in str(error), f"{name}={value!r}: {error}"
            except Exception as error:
                raise AssertionError(f"{name}={value!r} raises {error!r}") from error


def test_wrong_paths_and_flags_of_what_writes_are_refused(tmp_path) -> None:
    writers = (
        lambda path, force: ts.write_table(TRAIN, path, force=force),
        lambda path, force: ts.write_schema(SCHEMA, path, force=force),
        lambda path, force: FITTED.save(path, force=force),
    )
    for write in writers:
        for path in (None, 3, True, b"x.csv", [], "", "a\0b"):
            with pytest.raises(TabseedError) as error:
                write(path, True)
            assert "\n" not in str(error.value)
        for force in (None, 1, "yes", np.zeros(3)):
            with pytest.raises(TabseedError, match=r"force=.* is not True or False"):
                write(tmp_path / "x.csv", force)
    with pytest.raises(TabseedError, match="schema=3 is not a Schema"):
        ts.write_schema(3, tmp_path / "x.json")
    for flag in ("for_spreadsheet", "plain"):
        with pytest.raises(TabseedError, match=f"{flag}='no' is not True or False"):
            ts.write_table(TRAIN, tmp_path / "x.csv", **{flag: "no"})


@pytest.mark.parametrize("value", [True, -1.5, "a", [], {}, object, int], ids=str)
def test_long_evaluations_refuse_wrong_arguments_before_any_work(value) -> None:
    three = {name: rows for name, rows in OF_THREE.items() if name != "target"}
    for name in ("schema", "random_state", "n_jobs", "progress"):
        with pytest.raises(TabseedError, match=f"^evaluate: {name}=.* is not"):
            ts.evaluate(**three, **{name: value})
        with pytest.raises(TabseedError, match=f"^compare: {name}=.* is not"):
            ts.compare(TRAIN, {"a": SYNTHETIC, "b": SYNTHETIC}, HOLDOUT, **{name: value})
    with pytest.raises(TabseedError, match=r"^compare: (synthetics|the name)"):
        ts.compare(TRAIN, value, HOLDOUT)
    one_line = r"^[^\n]*$"
    for wrong in (None, value):
        for name in ("train", "synthetic") if wrong is None else ("train", "synthetic", "holdout"):
            with pytest.raises(TabseedError, match=one_line):
                ts.evaluate(**three | {name: wrong})
        tables = {"a": SYNTHETIC, "b": SYNTHETIC}
        for arguments in (
            (wrong, tables, HOLDOUT),
            (TRAIN, tables | {"b": wrong}, HOLDOUT),
            (TRAIN, tables, wrong),
        ):
            with pytest.raises(TabseedError, match=one_line):
                ts.compare(*arguments)
    for name in ("settings", "random_state", "fidelity"):
        with pytest.raises(TabseedError, match=f"{name}=.* is not"):
            ts.assess_utility(**OF_THREE, **{name: value})


@pytest.mark.parametrize("name", [name for _, name in GENERATORS.values()])
def test_a_generator_that_is_not_fitted_says_so(name, tmp_path) -> None:
    model = getattr(ts, name)()
    calls = {"sample": (3,), "draw": (3,), "summary": (), "save": (tmp_path / "m",)}
    if hasattr(model, "log_likelihood"):
        calls["log_likelihood"] = (TRAIN,)
    for method, arguments in calls.items():
        with pytest.raises(NotFittedError, match=f"^{name} is not fitted; call fit first$"):
            getattr(model, method)(*arguments)
    assert not hasattr(model, "encoder_") and not hasattr(model, "spam")


@pytest.mark.parametrize("model", [StandardScaler(), LinearSVC(), KMeans()], ids=repr)
def test_a_model_without_class_shares_is_refused_before_any_fit(model) -> None:
    calls = (
        lambda: ts.measure(**OF_THREE, settings=measuring(models={"a": model})),
        lambda: ts.generalization_utility(**OF_THREE, model=model),
        lambda: ts.tune_mix(TRAIN, ts.Resample(), "y", model=model),
        lambda: ts.evaluate_augmentation(X, Y, ts.TargetedAugmenter(ts.Resample()), model=model),
    )
    for call in calls:
        with pytest.raises(TabseedError, match="has no predict_proba, which"):
            call()


def test_a_missing_or_unknown_argument_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match=r"combine_estimates"):
        ts.combine_estimates([1.0], [0.1])
    with pytest.raises(TypeError, match=r"combine_estimates.*'spam'"):
        ts.combine_estimates([1.0], [0.1], 5, 5, spam=3)


def test_every_public_function_and_class_has_a_case() -> None:
    covered = {case.id.split("_")[0] for case in CASES} | {case.id for case in CASES}
    covered |= (
        FITTED_BY_LAWS
        | ANSWERS
        | {
            "write_table",
            "write_schema",
            "compare",
            "evaluate",
            "assess_utility",
        }
    )
    for name in ts.__all__:
        thing = getattr(ts, name)
        error = inspect.isclass(thing) and issubclass(thing, Exception)
        assert error or not callable(thing) or name in covered, f"{name} has no case"
