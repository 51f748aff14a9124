"""The public names: all there, with their types, and none lost.

Run as a script, this file rewrites ``src/tabseed/__init__.pyi``.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

import tabseed as ts

STUB = Path(ts.__file__).with_suffix(".pyi")

# the public names at commit 4d5e374, before packages moved
NAMES = """
    AUM AdversarialForest Agreement AugmentationEvaluation AugmentationProtocol AutoBias
    CTGAN ChiSquareDivergence Choice CleanLab Column Continued DataIQ DataMaps Detector
    DiscriminatorDivergence DomainRandomizedSearch EL2N Evaluation FeatureResponse FileError
    FineTuned Float Forgetting GaussianCopula Generator GraNd HardnessAssessment
    HardnessScorer ImportanceKS InductiveBias Int KNNShapley KSStopped LeakageError MAML
    MarginalDistance Measuring MetaTraining MissingDependencyError NothingLearnedError
    OrthogonalSeedsWarning Perturbed Pretraining Prototypicality Resample SMOTE SampleLoss
    Schema SchemaError SeedMixture SequentialTrees SmallInit StageOne Study TVAE Table
    TableEncoder TabseedError TargetedAugmenter TargetedRegressionAugmenter TooFewRowsError
    Training TrainingDynamics Tuner UtilityReport VAEBGM VoG WeightAveraging __version__
    assess_hardness assess_utility combine_estimates density_ratio_tail evaluate
    evaluate_augmentation generalization_utility independent_sets load parallel_coordinates
    perturb ranking_consistency read_schema read_table swap_design tune_mix utility_bound
    utility_decomposition write_schema write_table
""".split()

HEADER = '''"""The public names as type checkers see them: tests/test_public.py writes this file."""

# ruff: noqa: I001
'''


def stub() -> str:
    """Return the text of the stub, from the table of names in ``__init__.py``."""
    lines = [
        f"from {module} import {name} as {name}"
        for name, module in sorted(ts._HOMES.items(), key=lambda item: (item[1], item[0]))
    ]
    return "\n".join([HEADER, *lines, "", "__version__: str", ""])


def test_the_stub_matches_the_names() -> None:
    assert STUB.read_text() == stub(), "run python tests/test_public.py to rewrite it"


def test_no_name_was_lost() -> None:
    assert len(NAMES) == 90
    assert set(NAMES) <= set(ts.__all__)


@pytest.mark.parametrize("name", sorted(ts.__all__))
def test_a_name_is_that_of_its_module(name: str) -> None:
    value = getattr(ts, name)
    if name == "__version__":
        assert isinstance(value, str)
        return
    assert value is getattr(import_module(ts._HOMES[name]), name)
    assert inspect.getdoc(value)
    home = value.__module__  # where it is defined, in the package that offers it
    assert home.startswith(ts._HOMES[name]), f"{name} is defined in {home}"


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Tabel'"):
        ts.Tabel  # noqa: B018


@pytest.mark.slow
def test_each_name_has_its_real_type(tmp_path: Path, capsys) -> None:
    """Type checkers see the classes and functions themselves, and what functions return."""
    from mypy import api

    program = [
        "from typing import assert_type",
        "import numpy as np",
        "from numpy.typing import NDArray",
        "import tabseed as ts",
        "from tabseed.generators.base import Generator",
        "def use(table: ts.Table) -> None:",
        "    assert_type(ts.load('m.tabseed'), Generator)",
        "    assert_type(table.take([0]), ts.Table)",
        "    assert_type(table.numbers('x'), NDArray[np.float64])",
        "    assert_type(table.codes('x'), NDArray[np.int64])",
        "    assert_type(table.schema, ts.Schema)",
        "    model = ts.SequentialTrees().fit(table, target='y')",
        "    assert_type(model, ts.SequentialTrees)",
        "    assert_type(model.draw(5), ts.Table)",
        "    assert_type(ts.evaluate(train=table, synthetic=table, holdout=table), ts.Evaluation)",
        "    ts.write_table(table, 'out.csv')",
        *(f"reveal_type(ts.{name})" for name in ts.__all__),
    ]
    (tmp_path / "use.py").write_text("\n".join(program) + "\n")
    config = Path(__file__).parents[1] / "pyproject.toml"
    options = ["--strict", "--config-file", str(config)]  # as `make types`: its cache serves
    text, errors, _ = api.run([*options, str(tmp_path / "use.py")])
    revealed = [line for line in text.splitlines() if "Revealed type is" in line]
    assert not errors
    assert not [line for line in text.splitlines() if ": error: " in line]
    assert len(revealed) == len(ts.__all__)
    assert not [line for line in revealed if 'type is "Any"' in line]


if __name__ == "__main__":
    STUB.write_text(stub())
