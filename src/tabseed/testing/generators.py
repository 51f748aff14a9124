"""What every generator promises."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import clone

from tabseed.errors import TooFewRowsError
from tabseed.generators.base import Generator
from tabseed.metrics import DiscriminatorDivergence
from tabseed.saved import load
from tabseed.table import Table
from tabseed.table.schema import DISCRETE
from tabseed.testing.tables import N_ROWS, example_table, frames, odd_tables


def check_same_kind_of_frame_comes_back(generator: Generator) -> None:
    """Pandas, polars or pyarrow in: the same out, n rows, columns and dtypes as they came in."""
    for frame in frames(example_table(60)):
        model = clone(generator).set_params(random_state=0).fit(frame)
        for n in (0, 1, 17):
            drawn = model.sample(n, random_state=1)
            assert type(drawn) is type(frame), f"{type(drawn)} for {type(frame)}"
            assert len(drawn) == n, f"{len(drawn)} rows for {n}"
            kept = [name for name in _names(frame) if name != "person_id"]
            assert _names(drawn) == kept, f"columns {_names(drawn)}, not {kept}"
            found, expected = (_dtypes(f, kept) for f in (drawn, frame))
            assert found == expected, f"dtypes {found}, not {expected}"


def _names(frame: Any) -> list[str]:
    return list(frame.column_names if isinstance(frame, pa.Table) else frame.columns)


def _dtypes(frame: Any, names: list[str]) -> list[str]:
    if isinstance(frame, pa.Table):
        return [str(frame.schema.field(name).type) for name in names]
    return [str(frame[name].dtype) for name in names]


def check_values_stay_within_what_was_seen(generator: Generator) -> None:
    """Seen categories, seen range, finite; missing in columns that had missing cells, only."""
    real = Table.from_frame(example_table())
    model = clone(generator).set_params(random_state=0).fit(real)
    drawn = Table.from_frame(model.sample(2_000, random_state=1), schema=real.schema.modelled)
    for column in drawn.schema:
        if column.kind in DISCRETE:
            seen, found = (set(t.codes(column.name)) for t in (real, drawn))
            assert found <= seen, f"{column.name}: codes {found - seen} were never seen"
            continue
        seen_numbers, numbers = real.numbers(column.name), drawn.numbers(column.name)
        missing = np.isnan(numbers)
        assert not missing.any() or np.isnan(seen_numbers).any(), f"{column.name}: missing"
        assert np.isfinite(numbers[~missing]).all(), f"{column.name}: not finite"


def check_missing_cells_keep_their_share(generator: Generator) -> None:
    """Missing cells come as often as in the data.

    3,000 rows; the share may err by 6 binomial standard errors of the 300 training rows.
    """
    real = Table.from_frame(example_table())
    model = clone(generator).set_params(random_state=0).fit(real)
    drawn = model.sample(3_000, random_state=1)
    for name in ("income", "level"):
        share = real.to_arrow()[name].null_count / len(real)
        found = drawn[name].null_count / len(drawn)
        allowed = 6 * (share * (1 - share) / len(real)) ** 0.5
        assert abs(found - share) < allowed, f"{name}: {found:.3f} missing, {share:.3f} in data"


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
    """The frame that came in is as it was."""
    for frame in frames(example_table(40)):
        copy = frame.slice(0) if isinstance(frame, pa.Table) else frame.__copy__()
        clone(generator).set_params(random_state=0).fit(frame).sample(5)
        assert frame.equals(copy)


def check_clone_save_and_load_give_the_same_rows(generator: Generator) -> None:
    """A clone fitted again, and a model written and read, draw the very same rows."""
    for frame in frames(example_table(60)):
        model = clone(generator).set_params(random_state=3).fit(frame)
        again = clone(model).fit(frame)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tabseed"
            model.save(path)
            first = path.read_bytes()
            again.save(path, force=True)
            assert path.read_bytes() == first, "same model, other bytes"
            read = load(path)
        for found in (again, read):
            for seed in (None, 4):
                drawn = found.sample(30, random_state=seed)
                assert drawn.equals(model.sample(30, random_state=seed))
        assert read.get_params()["random_state"] == 3
        assert read.summary() == model.summary()


def check_few_rows_work_or_are_refused_with_a_number(generator: Generator) -> None:
    """With 1, 2, 5 and 20 rows: valid rows, or TooFewRowsError that says how many are needed."""
    for n in (1, 2, 5, 20):
        try:
            model = clone(generator).set_params(random_state=0).fit(example_table(n))
        except TooFewRowsError as error:
            assert n < generator.min_rows and str(generator.min_rows) in str(error)
            continue
        assert len(model.sample(9)) == 9


def check_odd_tables(generator: Generator) -> None:
    """One class, constant and all-missing columns, all categories, one column: valid rows."""
    for name, table in odd_tables():
        model = clone(generator).set_params(random_state=0).fit(table)
        drawn = model.sample(50)
        assert drawn.schema == table.schema, name
        for column in table.column_names:
            if table[column].null_count == len(table):
                assert drawn[column].null_count == 50, f"{name}: {column}"
            if table[column].null_count == 0:
                assert drawn[column].null_count == 0, f"{name}: {column}"


def check_conditions_are_met(generator: Generator) -> None:
    """Conditions on a category, a missing cell and a range hold in every row."""
    table = example_table()
    model = clone(generator).set_params(random_state=0).fit(table)
    drawn = model.sample(40, conditions={"level": "low", "income": None})
    assert set(drawn["level"].to_pylist()) == {"low"}
    assert drawn["income"].null_count == len(drawn) == 40
    drawn = model.sample(40, conditions={"age": (20, 35), "owns": False})
    assert all(20 <= age <= 35 for age in drawn["age"].to_pylist())
    assert not any(drawn["owns"].to_pylist())
    assert len(model.sample(0, conditions={"level": "low"})) == 0


def check_better_than_torn_columns(generator: Generator) -> None:
    """Closer to fresh rows than the training rows with each column shuffled by itself.

    One seed; the torn table's divergence is about 0.6 bits, the bar is half of it.
    """
    train, fresh = example_table(), example_table(600, seed=1)
    schema = Table.from_frame(train).schema.modelled
    model = clone(generator).set_params(random_state=0).fit(train)
    rng = np.random.default_rng(0)
    torn = pa.table({n: train[n].take(pa.array(rng.permutation(N_ROWS))) for n in schema.names})
    metric = DiscriminatorDivergence(views=("coarse",), permutations=0, folds=3, repeats=1)
    real = Table.from_frame(fresh, schema=schema)
    found, worst = (
        metric.evaluate(real, table, random_state=0).js_coarse.value
        for table in (model.sample(600), torn)
    )
    assert found < worst / 2, f"JS {found:.3f}, torn columns {worst:.3f}"
