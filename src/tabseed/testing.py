"""The laws of generators and metrics as checks that anyone can run on their own class.

    from tabseed.testing import check_generator
    check_generator(MyGenerator())

Each check is a function of one instance and raises AssertionError with what was found. They need
neither pytest nor PyTorch; pandas and polars are used where they are installed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import clone

from tabseed.encode import TableEncoder
from tabseed.errors import LeakageError, TooFewRowsError
from tabseed.generators.base import Generator, load
from tabseed.metrics import DiscriminatorDivergence, Metric
from tabseed.schema import DISCRETE
from tabseed.table import Table

Check = Callable[[Any], None]

N_ROWS = 300  # of the example table, unless a check is about another size


# --- tables whose law is known ------------------------------------------------------------------


def example_table(n: int = N_ROWS, seed: int = 0) -> pa.Table:
    """A table of all kinds whose columns hang on one latent number; some cells missing."""
    rng = np.random.default_rng([2_407, seed])
    z = rng.normal(size=n)
    income = np.round(np.exp(z + 0.3 * rng.normal(size=n)) * 1_000, 2)
    age = np.round(40 + 12 * z + 3 * rng.normal(size=n)).clip(18, 90)
    level = np.array(["low", "mid", "hïgh"])[np.digitize(z + 0.3 * rng.normal(size=n), [-0.5, 0.7])]
    day = np.datetime64("1650-03-01", "us") + (365 * (z.clip(-3, 3) + 4)).astype("timedelta64[D]")
    owns = z + 0.5 * rng.normal(size=n) > 0
    gone = rng.random(n) < np.where(z > 0, 0.3, 0.05)
    return pa.table(
        {
            "person_id": [f"p{seed}-{i}" for i in range(n)],
            "income": pa.array(income, mask=gone),
            "age": pa.array(age.astype(np.int16)),
            "level": pa.array(level, mask=rng.random(n) < 0.1),
            "owns": pa.array(owns),
            "born <b>": pa.array(day),
        }
    )


def frames(table: pa.Table) -> Iterator[Any]:
    """The table as each kind of frame that is installed here."""
    yield table
    if find_spec("pandas"):
        yield table.to_pandas()
    if find_spec("polars"):
        import polars as pl

        yield pl.from_arrow(table)


def odd_tables() -> Iterator[tuple[str, pa.Table]]:
    """Tables at the edges of what may come in, by name."""
    rng = np.random.default_rng(3)
    x, c = rng.normal(size=40), rng.choice(["a", "b", "ç"], 40)
    yield "one class", pa.table({"x": x, "y": ["same"] * 40})
    yield "constant column", pa.table({"x": x, "k": np.full(40, 7.5), "c": c})
    yield (
        "all-missing columns",
        pa.table({"x": x, "n": pa.nulls(40, pa.float64()), "t": pa.nulls(40, pa.string())}),
    )
    yield "all categories", pa.table({"c": c, "d": rng.permutation(c), "e": c})
    yield "one column", pa.table({"x": x})
    yield "rare missing", pa.table({"x": pa.array(x, mask=np.arange(40) == 3), "c": c})
    yield "infrequent level", pa.table({"c": ["once", *["often"] * 39], "x": x})


# --- generators ---------------------------------------------------------------------------------


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


GENERATOR_CHECKS: tuple[Check, ...] = (
    check_same_kind_of_frame_comes_back,
    check_values_stay_within_what_was_seen,
    check_missing_cells_keep_their_share,
    check_seed_decides_everything,
    check_input_is_not_changed,
    check_clone_save_and_load_give_the_same_rows,
    check_few_rows_work_or_are_refused_with_a_number,
    check_odd_tables,
    check_conditions_are_met,
    check_better_than_torn_columns,
)


# --- neural generators --------------------------------------------------------------------------


def check_no_steps_give_initial_weights(generator: Any) -> None:
    """Without a step the weights are the initial ones, bit for bit, fresh or given."""
    ensemble, make = _trained(generator, steps=0)
    again = make(0, list(range(3)), ensemble.weights)
    for name, value in ensemble.weights.items():
        assert np.array_equal(value, again.weights[name]), name


def check_seeds_are_as_if_alone(generator: Any) -> None:
    """After 50 steps each seed's weights are those of training it alone, to 1e-5."""
    together, make = _trained(generator, steps=50)
    for seed in range(3):
        alone = make(50, [seed], None)
        for name, value in together.weights.items():
            gap = np.abs(value[seed] - alone.weights[name][0]).max()
            assert gap < 1e-5, f"seed {seed}, {name}: differs by {gap}"
    first, second = (next(iter(together.weights.values()))[s] for s in (0, 1))
    assert not np.array_equal(first, second), "two seeds are one"


def check_shapes_follow_the_encoder(generator: Any) -> None:
    """One encoder gives the same names and shapes of weights for other rows."""
    real = Table.from_frame(example_table(80))
    encoder = TableEncoder().fit(real)
    model = clone(generator).set_params(random_state=0).fit(real, encoder=encoder)
    drawn = model.sample(90)
    again = clone(model).fit(Table.from_frame(drawn, schema=real.schema.modelled), encoder=encoder)
    assert again.encoder_ is encoder
    shapes = [{k: v.shape for k, v in m.ensemble_.weights.items()} for m in (model, again)]
    assert shapes[0] == shapes[1]


def check_progress_is_told(generator: Any) -> None:
    """The callback hears of work that grows and never passes its total."""
    seen: list[tuple[int, int]] = []
    model = clone(generator).set_params(random_state=0)
    model.fit(example_table(60), progress=lambda done, total, _: seen.append((done, total)))
    done = [step for step, _ in seen]
    assert len(seen) > 1 and done == sorted(done)
    assert all(step <= total for step, total in seen)


def check_interrupted_training_goes_on(generator: Any) -> None:
    """A training cut off and begun again from its checkpoint ends with the same weights."""
    table = example_table(60)

    def model() -> Any:
        return clone(generator).set_params(random_state=0)

    whole = model().fit(table)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        calls = [0]

        def interrupt(done: int, total: int, message: str) -> None:
            calls[0] += 1
            if calls[0] == 4:
                raise KeyboardInterrupt

        try:
            model().fit(table, progress=interrupt, checkpoint=path)
        except KeyboardInterrupt:
            assert path.exists(), "nothing was kept"
        resumed = model().fit(table, checkpoint=path)
        assert not path.exists(), "the checkpoint outlives the training"
    for name, value in whole.ensemble_.weights.items():
        assert np.array_equal(value, resumed.ensemble_.weights[name]), name
    for one, two in zip(whole.ensemble_.curves, resumed.ensemble_.curves, strict=True):
        assert np.array_equal(one, two, equal_nan=True)


def _trained(generator: Any, steps: int) -> tuple[Any, Callable[..., Any]]:
    """Train three seeds; give also a function that trains others on the same rows."""
    from dataclasses import replace

    from tabseed._random import child, seed_sequence
    from tabseed.generators.ensemble import Split, train_ensemble

    table = Table.from_frame(example_table(80))
    encoder = TableEncoder().fit(table)
    model = clone(generator).set_params(random_state=0)
    network = model._network(encoder.layout_)
    rows = network.rows(encoder.transform(table))
    how = replace(model._training(len(table)), patience=10**6)
    stream = seed_sequence(0)
    split = Split.draw(len(rows), how.validation, stream)

    def make(steps: int, seeds: list[int], initial: Any) -> Any:
        streams = [child(stream, 7, seed) for seed in seeds]
        settings = replace(how, steps=steps)
        return train_ensemble(network, rows, split, settings, streams, initial=initial)

    return make(steps, [0, 1, 2], None), make


NEURAL_CHECKS: tuple[Check, ...] = (
    check_no_steps_give_initial_weights,
    check_seeds_are_as_if_alone,
    check_shapes_follow_the_encoder,
    check_progress_is_told,
    check_interrupted_training_goes_on,
)


# --- metrics ------------------------------------------------------------------------------------


def check_metric_declares_itself(metric: Metric) -> None:
    """Unit, direction and references are stated; the result's headline repeats the first two."""
    assert metric.unit and metric.better in ("lower", "higher") and metric.references
    headline = metric.evaluate(example_table(60), example_table(60, 1), random_state=0).headline
    assert (headline.unit, headline.better) == (metric.unit, metric.better)
    assert headline.low <= headline.value <= headline.high


def check_metric_is_best_on_two_halves(metric: Metric) -> None:
    """Worse as a shift grows, near its best on two samples of one law. One seed."""
    real, fresh = example_table(), example_table(seed=1)
    values = []
    for shift in (0, 8, 40):
        moved = pa.array(fresh["age"].to_numpy() + np.int16(shift))
        shifted = fresh.set_column(fresh.column_names.index("age"), "age", moved)
        values.append(metric.evaluate(real, shifted, random_state=0).headline.value)
    if metric.better == "higher":
        values = [-v for v in values]
    assert values[0] < values[1] < values[2], f"values {values} at shifts 0, 8, 40"


def check_metric_refuses_leaks(metric: Metric) -> None:
    """Real rows that trained the generator are refused."""
    rows = example_table(60)
    try:
        metric.evaluate(rows, example_table(60, 1), train=rows, random_state=0)
    except LeakageError:
        return
    raise AssertionError("rows that trained the generator were taken for fresh ones")


def check_metric_is_reproducible(metric: Metric) -> None:
    """Same seed, same numbers; global random state is not touched."""
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    tables = example_table(50), example_table(50, 1)
    one, two = (metric.evaluate(*tables, random_state=4).to_dict() for _ in range(2))
    assert one == two
    assert np.array_equal(before, np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002


METRIC_CHECKS: tuple[Check, ...] = (
    check_metric_declares_itself,
    check_metric_is_best_on_two_halves,
    check_metric_refuses_leaks,
    check_metric_is_reproducible,
)


def checks_of(estimator: Any) -> tuple[Check, ...]:
    """The checks that an estimator must pass."""
    if isinstance(estimator, Metric):
        return METRIC_CHECKS
    if isinstance(estimator, Generator):
        return GENERATOR_CHECKS + (NEURAL_CHECKS if hasattr(estimator, "n_seeds") else ())
    raise TypeError(f"no laws are known for {type(estimator).__name__}")


def check_generator(generator: Generator) -> None:
    """Run every law of generators on ``generator``, which is not changed."""
    for check in checks_of(generator):
        check(generator)


def check_metric(metric: Metric) -> None:
    """Run every law of metrics on ``metric``."""
    for check in checks_of(metric):
        check(metric)
