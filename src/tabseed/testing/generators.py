"""The laws of generators."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import clone

from tabseed.archive import UNDECLARED, Arrays, read_archive
from tabseed.errors import TabseedError, TooFewRowsError
from tabseed.generators.base import Generator
from tabseed.metrics import DiscriminatorDivergence
from tabseed.rules.meaning import read_rules
from tabseed.saved import load
from tabseed.table import Table
from tabseed.table.schema import DISCRETE
from tabseed.testing.tables import (
    BUILT,
    CHECKED,
    N_ROWS,
    RULED_KINDS,
    example_table,
    frames,
    gappy_table,
    odd_tables,
    ruled_table,
)


def check_same_kind_of_frame_comes_back(generator: Generator) -> None:
    """Pandas, polars or pyarrow comes back as the same, with n rows and its columns and dtypes."""
    for frame in frames(example_table(60)):
        model = clone(generator).set_params(random_state=0).fit(frame)
        for n in (0, 1, 17):
            synthetic = model.sample(n, random_state=1)
            assert type(synthetic) is type(frame), f"{type(synthetic)} for {type(frame)}"
            assert len(synthetic) == n, f"{len(synthetic)} rows for {n}"
            names = [name for name in _names(frame) if name != "person_id"]
            assert _names(synthetic) == names, f"columns {_names(synthetic)}, not {names}"
            dtypes, expected = (_dtypes(f, names) for f in (synthetic, frame))
            assert dtypes == expected, f"dtypes {dtypes}, not {expected}"


def _names(frame: Any) -> list[str]:
    return list(frame.column_names if isinstance(frame, pa.Table) else frame.columns)


def _dtypes(frame: Any, names: list[str]) -> list[str]:
    if isinstance(frame, pa.Table):
        return [str(frame.schema.field(name).type) for name in names]
    return [str(frame[name].dtype) for name in names]


def check_values_stay_within_what_was_seen(generator: Generator) -> None:
    """Only categories seen, finite numbers, and missing cells only in columns that had some."""
    real = Table.from_frame(example_table())
    model = clone(generator).set_params(random_state=0).fit(real)
    synthetic = Table.from_frame(model.sample(2_000, random_state=1), schema=real.schema.modelled)
    for column in synthetic.schema:
        if column.kind in DISCRETE:
            seen, codes = (set(t.codes(column.name)) for t in (real, synthetic))
            assert codes <= seen, f"{column.name}: codes {codes - seen} were never seen"
            continue
        seen_numbers, numbers = real.numbers(column.name), synthetic.numbers(column.name)
        missing = np.isnan(numbers)
        assert not missing.any() or np.isnan(seen_numbers).any(), f"{column.name}: missing"
        assert np.isfinite(numbers[~missing]).all(), f"{column.name}: not finite"


def check_missing_cells_keep_their_share(generator: Generator) -> None:
    """Cells are missing as often as in the training rows.

    Over 3,000 rows; the share may err by 6 binomial standard errors of the 300 training rows.
    """
    real = Table.from_frame(example_table())
    model = clone(generator).set_params(random_state=0).fit(real)
    synthetic = model.sample(3_000, random_state=1)
    for name in ("income", "level"):
        expected = real.to_arrow()[name].null_count / len(real)
        share = synthetic[name].null_count / len(synthetic)
        allowed = 6 * (expected * (1 - expected) / len(real)) ** 0.5
        assert abs(share - expected) < allowed, (
            f"{name}: {share:.3f} missing, {expected:.3f} in training"
        )


def check_stretches_without_rows_stay_empty(generator: Generator) -> None:
    """No number lies where the training rows leave a gap, and each side keeps its share.

    Codes such as 999999, an outlier, two clusters; 3,000 rows. A share may err by 6 binomial
    standard errors of the 150 training rows.
    """
    real = Table.from_frame(gappy_table())
    model = clone(generator).set_params(random_state=0).fit(real, target="income")
    synthetic = Table.from_frame(model.sample(3_000, random_state=1), schema=real.schema)
    day = 86_400_000_000
    inside = {"income": 500_000, "age": 5, "weight": 150, "warm": 60, "end": 1_000_000 * day}
    for name, at in inside.items():
        known, numbers = real.numbers(name), synthetic.numbers(name)
        low, high = known[known < at].max(), known[known > at].min()
        between = numbers[(numbers > low) & (numbers < high)]
        assert not len(between), f"{name}: {between[0]} between {low} and {high}"
        expected, share = (float(np.mean(side > at)) for side in (known, numbers))
        allowed = 6 * (expected * (1 - expected) / len(real)) ** 0.5
        assert abs(share - expected) < allowed, (
            f"{name}: {share:.3f} above {at}, {expected:.3f} in training"
        )


def check_seed_decides_everything(generator: Generator) -> None:
    """Same seed, same rows; other seed, other rows; global random state is not touched."""
    table = example_table(60)
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    one, two = (clone(generator).set_params(random_state=5).fit(table) for _ in range(2))
    assert one.sample(50).equals(two.sample(50)), "same seed, other rows"
    assert one.sample(50, random_state=8).equals(two.sample(50, random_state=8))
    assert not one.sample(50, random_state=8).equals(one.sample(50, random_state=9))
    other = clone(generator).set_params(random_state=6).fit(table)
    assert not other.sample(50).equals(one.sample(50)), "other seed, same rows"
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    assert np.array_equal(before, after), "global random state was touched"


def check_input_is_not_changed(generator: Generator) -> None:
    """The frame that came in does not change."""
    for frame in frames(example_table(40)):
        copy = frame.slice(0) if isinstance(frame, pa.Table) else frame.__copy__()
        clone(generator).set_params(random_state=0).fit(frame).sample(5)
        assert frame.equals(copy)


def check_clone_save_and_load_give_the_same_rows(generator: Generator) -> None:
    """A clone fitted again, and a model saved and loaded, draw exactly the same rows."""
    for frame in frames(example_table(60)):
        model = clone(generator).set_params(random_state=3).fit(frame)
        again = clone(model).fit(frame)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tabseed"
            model.save(path)
            first = path.read_bytes()
            again.save(path, force=True)
            assert path.read_bytes() == first, "same model, other bytes"
            loaded = load(path)
        for copy in (again, loaded):
            for seed in (None, 4):
                rows = copy.sample(30, random_state=seed)
                assert rows.equals(model.sample(30, random_state=seed))
        assert loaded.get_params()["random_state"] == 3
        assert loaded.summary() == model.summary()


def check_the_model_file_holds_what_is_declared(generator: Generator) -> None:
    """``holds`` says whether a model file holds the training rows; the file and the summary too.

    An array that is as long as the table, and again as long as one of 6 more rows, is of rows.
    Where none are declared, less than half of the numbers of a column may be in the file.
    """
    assert generator.holds is not UNDECLARED, "the class does not declare what its file holds"
    table = example_table(101)
    model, config, arrays = _saved(generator, table)
    assert config["holds"] == model.holds.to_dict()
    assert str(model.holds) in model.summary(), "the summary does not say what the file holds"
    long = _as_long(arrays, 101)
    if long:  # by chance?
        long &= _as_long(_saved(generator, example_table(107))[2], 107)
    assert bool(long) == model.holds.rows, f"{model.holds}; as long as the table: {sorted(long)}"
    if not model.holds.rows:
        incomes = np.unique(table["income"].drop_null().to_numpy()).astype(np.float32)
        kept = [array.ravel() for array in arrays.values() if array.dtype.kind == "f"]
        share = np.isin(incomes, np.concatenate(kept).astype(np.float32)).mean()
        assert share < 0.5, f"{share:.0%} of the incomes are in the file"


def _saved(generator: Generator, table: pa.Table) -> tuple[Generator, dict[str, Any], Arrays]:
    """Return the generator fitted to a table, and what its model file has: config, arrays."""
    model = clone(generator).set_params(random_state=0).fit(table)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.tabseed")
        documents, arrays = read_archive(Path(folder) / "model.tabseed", ("config",))
    return model, documents["config"], arrays


def _as_long(arrays: Arrays, n: int) -> set[str]:
    return {name for name, array in arrays.items() if n in array.shape}


def check_few_rows_work_or_are_refused_with_a_number(generator: Generator) -> None:
    """1, 2, 5 and 20 rows give valid rows, or TooFewRowsError that says how many are needed."""
    for n in (1, 2, 5, 20):
        try:
            model = clone(generator).set_params(random_state=0).fit(example_table(n))
        except TooFewRowsError as error:
            assert n < generator.min_rows and str(generator.min_rows) in str(error)
            continue
        assert len(model.sample(9)) == 9


def check_odd_tables(generator: Generator) -> None:
    """One class, constant or all-missing columns, only categories, one column: valid rows."""
    for name, table in odd_tables():
        model = clone(generator).set_params(random_state=0).fit(table)
        synthetic = model.sample(50)
        assert synthetic.schema == table.schema, name
        for column in table.column_names:
            if table[column].null_count == len(table):
                assert synthetic[column].null_count == 50, f"{name}: {column}"
            if table[column].null_count == 0:
                assert synthetic[column].null_count == 0, f"{name}: {column}"


def check_conditions_are_met(generator: Generator) -> None:
    """Conditions on categories, a missing cell, numbers and dates hold in every row."""
    table = example_table()
    model = clone(generator).set_params(random_state=0).fit(table)
    synthetic = model.sample(40, conditions={"level": "low", "income": None})
    assert set(synthetic["level"].to_pylist()) == {"low"}
    assert synthetic["income"].null_count == len(synthetic) == 40
    synthetic = model.sample(40, conditions={"age": (20, 35), "owns": False})
    assert all(20 <= age <= 35 for age in synthetic["age"].to_pylist())
    assert not any(synthetic["owns"].to_pylist())
    synthetic = model.sample(40, conditions={"level": ["low", None], "born <b>": ("1654", None)})
    assert set(synthetic["level"].to_pylist()) <= {"low", None}
    assert all(day.year >= 1654 for day in synthetic["born <b>"].to_pylist())
    assert len(model.sample(0, conditions={"level": "low"})) == 0


def check_rules_are_kept(generator: Generator) -> None:
    """Rules of every kind hold in 10,000 rows, under conditions, and after save and load."""
    frame, rules = ruled_table(), (*BUILT, *CHECKED)
    real = Table.from_frame(frame, kinds=RULED_KINDS, rules=rules)
    model = clone(generator).set_params(random_state=0).fit(real)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.tabseed")
        loaded = load(Path(folder) / "model.tabseed")
    drawn = [
        loaded.draw(10_000, random_state=1),
        model.draw(50, conditions={"sex": "male", "bmi": (18, 32)}, random_state=2),
        model.draw(50, conditions="status = dead and nights >= 5", random_state=3),
    ]
    assert (
        drawn[0]
        .take(range(20))
        .to_arrow()
        .equals(model.draw(10_000, random_state=1).take(range(20)).to_arrow())
    ), "a loaded model draws other rows"
    for rows in drawn:
        for rule in read_rules(rules, real):
            broken = int((rule.broken(rows, real) == 1).sum())
            assert not broken, f"{broken} of {len(rows)} rows break {rule}"
    assert set(drawn[1].values("sex")) == {"male"} and len(drawn[1]) == 50
    assert set(drawn[2].values("status")) == {"dead"} and min(drawn[2].values("nights")) >= 5


def check_likelihood_is_that_of_drawn_rows(generator: Generator) -> None:
    """Rows that it draws are likelier under it than their columns torn apart, by their entropy.

    A generator that does not know the likelihood of rows says so in one line.
    """
    model = clone(generator).set_params(random_state=0).fit(example_table())
    drawn = model.draw(400, random_state=1)
    ask = getattr(model, "log_likelihood", None)
    if not model.knows_likelihood:
        if ask is not None:
            try:
                ask(drawn)
            except TabseedError as error:
                assert "likelihood" in str(error)
            else:
                raise AssertionError("a likelihood that it does not know")
        return
    assert ask is not None
    rng = np.random.default_rng(0)
    frame = drawn.to_frame("pyarrow")
    torn = pa.table({n: frame[n].take(pa.array(rng.permutation(400))) for n in frame.column_names})
    own, other = (ask(rows) for rows in (drawn, Table.from_frame(torn, schema=drawn.schema)))
    assert own.shape == other.shape == (400,)
    assert np.isfinite(own).all(), "rows that it drew are impossible under it"
    assert own.mean() > other.mean() + 0.5, f"{own.mean():.2f} and, torn apart, {other.mean():.2f}"


def check_better_than_torn_columns(generator: Generator) -> None:
    """Closer to fresh rows than the training rows with each column shuffled by itself.

    One seed; the divergence of the shuffled table is about 0.6 bits, the limit half of that.
    """
    train, fresh = example_table(), example_table(600, seed=1)
    schema = Table.from_frame(train).schema.modelled
    model = clone(generator).set_params(random_state=0).fit(train)
    rng = np.random.default_rng(0)
    shuffled = pa.table({n: train[n].take(pa.array(rng.permutation(N_ROWS))) for n in schema.names})
    metric = DiscriminatorDivergence(views=("coarse",), permutations=0, folds=3, repeats=1)
    real = Table.from_frame(fresh, schema=schema)
    divergence, worst = (
        metric.evaluate(real, table, random_state=0).js_coarse.value
        for table in (model.sample(600), shuffled)
    )
    assert divergence < worst / 2, f"JS {divergence:.3f}, shuffled columns {worst:.3f}"
