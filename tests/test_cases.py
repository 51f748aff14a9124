"""Inputs that failed once, each with the right value: tables as people have them, end to end.

Each test is a small version of a public report or of a file that a user tried. The kinds that they
stand for are tested where they are built (tests/table, tests/coding, tests/generators).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import tabseed as ts
from tabseed.metrics import MarginalDistance

GENERATORS = (ts.SequentialTrees, ts.AdversarialForest, ts.GaussianCopula, ts.SMOTE)


def visits(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "visit": pd.date_range("2024-03-01", periods=n),
            "dose": pd.array(rng.integers(1, 90, n), dtype="Int64"),
            "arm": rng.choice(["a", "b"], n),
        }
    )
    frame.loc[3, "dose"] = pd.NA
    return frame


@pytest.mark.parametrize("make", [ts.SequentialTrees, ts.AdversarialForest, ts.GaussianCopula])
def test_c01_rows_of_a_range_of_dates(make) -> None:
    frame = visits()
    frame["utc"] = frame.visit.dt.tz_localize("UTC")
    frame["text"] = frame.visit.dt.strftime("%d.%m.%Y")
    model = make(random_state=0).fit(frame)
    low, high = pd.Timestamp("2024-03-10"), pd.Timestamp("2024-04-10")
    assert model.sample(20, conditions={"visit": (low, high)}).visit.between(low, high).all()
    zoned = (low.tz_localize("UTC"), None)
    assert (model.sample(20, conditions={"utc": zoned}).utc >= zoned[0]).all()
    texts = model.sample(20, conditions={"text": ("2024-03-10", "2024-04-10")}).text
    assert pd.to_datetime(texts, format="%d.%m.%Y").between(low, high).all()
    assert (model.sample(20, conditions={"dose": (30, None)}).dose >= 30).all()
    assert model.sample(20, conditions={"dose": pd.NA}).dose.isna().all()
    with pytest.raises(ts.SchemaError, match="wrong order"):
        model.sample(5, conditions={"dose": (80, 10)})


@pytest.mark.parametrize("pattern", ["%Y%m%d", "%d%m%Y"])
def test_c02_whole_number_dates_are_dates(pattern) -> None:
    rng = np.random.default_rng(0)
    day = pd.Series(pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 1500, 120), "D"))
    number = day.dt.strftime(pattern).astype(int)
    for column in (number, number.where(number.index % 9 > 0)):
        drawn = ts.SequentialTrees(random_state=0).fit(pd.DataFrame({"day": column})).sample(300)
        text = drawn.day.dropna().astype(int).astype(str).str.zfill(8)
        assert pd.to_datetime(text, format=pattern, errors="coerce").notna().all()
        assert drawn.day.dtype == column.dtype
    table = ts.Table.from_frame(pd.DataFrame({"d": number}), kinds={"d": f"datetime:{pattern}"})
    assert table.schema["d"].kind == "datetime"


@pytest.mark.parametrize("make", [ts.SequentialTrees, ts.GaussianCopula, ts.SMOTE])
def test_c03_one_sum_among_prices_leaves_them_at_two_decimals(make) -> None:
    rng = np.random.default_rng(0)
    price = rng.lognormal(4, 1, 300).round(2)
    price[7] = 0.1 + 0.2
    for column in (price, rng.integers(1, 60, 300) * 0.1, 19.99 * rng.integers(1, 60, 300)):
        drawn = make(random_state=0).fit(pd.DataFrame({"price": column})).sample(500).price
        assert (drawn == drawn.round(2)).all()


def test_c05_true_is_the_same_in_any_spelling() -> None:
    def people(seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        return pd.DataFrame({"x": rng.normal(size=60).round(2), "smoker": rng.random(60) < 0.4})

    train, synthetic, holdout = map(people, range(3))
    schema = ts.Table.from_frame(train).schema
    truth = float(abs(synthetic.smoker.mean() - holdout.smoker.mean()))
    texts = synthetic.smoker.astype(str)
    for column in (
        synthetic.smoker,
        texts,
        texts.str.upper(),
        texts.str.lower(),
        synthetic.smoker.astype(float),
        synthetic.smoker.astype(float).astype(str),
    ):
        result = MarginalDistance().evaluate(
            ts.Table.from_frame(holdout, schema=schema),
            synthetic.assign(smoker=column),
            random_state=0,
        )
        assert result.columns["smoker"] == pytest.approx(truth)


@pytest.mark.parametrize("level", ["NA", "", "null", "nan", "None"])
def test_c06_a_level_that_looks_missing_survives_our_own_csv(level, tmp_path) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"land": rng.choice([level, "ZA", "BW"], 80), "x": rng.normal(size=80)})
    table = ts.Table.from_frame(frame)
    assert level in table.schema["land"].categories
    drawn = ts.SequentialTrees(random_state=0).fit(table).sample(80)
    ts.write_table(drawn, tmp_path / "s.csv")
    back = ts.Table.from_frame(ts.read_table(tmp_path / "s.csv"))
    assert back.values("land") == drawn.land.tolist()


@pytest.mark.parametrize(
    ("write", "true"),
    [
        (lambda k: f"{k:,}".replace(",", "."), "integer"),
        (lambda k: f"{k:,}", "integer"),
        (lambda k: f"{k:,}".replace(",", ".") + ",25", "continuous"),
    ],
)
def test_c08_marks_of_thousands_are_read(write, true, tmp_path) -> None:
    rng = np.random.default_rng(1)
    amount, price = rng.integers(300, 20_000, 60), rng.uniform(1, 9, 60)
    comma = "," not in write(1_000) or true == "continuous"
    prices = [f"{p:.2f}".replace(".", ",") if comma else f"{p:.2f}" for p in price]
    rows = "\n".join(f"{write(int(k))};{p}" for k, p in zip(amount, prices, strict=True))
    (tmp_path / "t.csv").write_text(f"umsatz;preis\n{rows}\n")
    table = ts.Table.from_frame(ts.read_table(tmp_path / "t.csv"))
    assert table.schema["umsatz"].kind == true
    assert np.array_equal(table.numbers("umsatz"), amount + (0.25 if true == "continuous" else 0))
    assert np.allclose(table.numbers("preis"), price.round(2))


def test_c09_an_index_of_pandas_is_no_column(tmp_path) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"age": rng.integers(18, 90, 120), "ill": rng.choice(["y", "n"], 120)})
    for k, indexed in enumerate(
        (
            frame[frame.age > 40],
            frame.sample(frac=1, random_state=0),
            frame.set_index(pd.date_range("2020", periods=120)),
        )
    ):
        indexed.to_parquet(tmp_path / f"{k}.parquet")
        assert ts.read_table(tmp_path / f"{k}.parquet").column_names == ["age", "ill"]


def graded(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, 2)).round(2)
    grade = np.clip(np.round(2 + x[:, 0] + rng.normal(size=80) / 2), 1, 3).astype(int)
    return pd.DataFrame(x, columns=["a", "b"]).assign(grade=grade)


def test_c10_classes_written_as_numbers_are_classes() -> None:
    real, synthetic, holdout = map(graded, range(3))
    logistic = LogisticRegression()
    gap = ts.generalization_utility(real, synthetic, holdout, "grade", model=logistic)
    assert gap.signed.unit == "share wrong"
    halves = [t.assign(grade=t.grade + 0.5) for t in (real, synthetic, holdout)]
    with pytest.raises(ts.SchemaError, match="LogisticRegression is a classifier"):
        ts.generalization_utility(*halves, "grade", model=logistic)


@pytest.mark.parametrize(
    "pattern",
    [
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S+00:00",
        "%Y-%m-%d %H:%M:%S.250",
        "%Y-%m-%dT%H:%M",
        "%-m/%-d/%Y",
        "%-d.%-m.%Y",
        "%d.%m.%Y %H:%M",
        "%d-%m-%Y",
        "%d %b %Y",
        "%m/%d/%Y %I:%M:%S %p",
    ],
)
def test_c12_dates_in_their_usual_spellings_come_back_as_written(pattern) -> None:
    moments = pd.Series(pd.date_range("2023-11-01 00:13:00", periods=60, freq="31h"))
    frame = pd.DataFrame({"d": moments.dt.strftime(pattern), "v": range(60)})
    table = ts.Table.from_frame(frame)
    assert table.schema["d"].kind == "datetime"
    drawn = ts.SequentialTrees(random_state=0).fit(table).sample(60).d
    plain = pattern.replace("Z", "").replace("+00:00", "").replace(".250", "").replace("%-", "%")
    cut = drawn.str.replace(r"(Z|\+00:00|\.250)$", "", regex=True)
    read = pd.to_datetime(cut, format=plain)
    assert (read.dt.strftime(pattern) == drawn).all()
    assert read.between(moments.min().floor("D"), moments.max().ceil("D")).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda i, v: "12O" if i == 17 else f"{v}", "59 of 60 cells are numbers, row 18 is '12O'"),
        (lambda i, v: "inf" if i == 17 else f"{v}", "59 of 60 cells are numbers, row 18 is 'inf'"),
        (lambda i, v: f"{v}" if i % 9 else "<90", "bp=continuous:censored"),
        (lambda i, v: f"{v / 2:.1f}%", None),
        (lambda i, v: f"{v - 120:+.1f}", None),
        (lambda i, v: f'"{v * 100:,.0f}"', None),
    ],
)
def test_c13_a_cell_that_is_no_number_is_named(change, said, tmp_path) -> None:
    values = np.random.default_rng(1).normal(120, 15, 60).round(1)
    cells = "".join(f"{change(i, v)},g{i % 2}\n" for i, v in enumerate(values))
    (tmp_path / "t.csv").write_text(f"bp,g\n{cells}")
    frame = ts.read_table(tmp_path / "t.csv")
    column = ts.Table.from_frame(frame).schema["bp"]
    if said is None:
        assert column.kind in ("continuous", "integer")
        return
    assert column.kind == "text" and said in column.reason
    rest = "censored" if "censored" in said else "gaps"
    numbers = ts.Table.from_frame(frame, kinds={"bp": f"continuous:{rest}"}).numbers("bp")
    assert np.isnan(numbers).sum() == (0 if rest == "censored" else 1)


def test_c14_labels_of_another_spelling_are_the_same_and_missing_ones_refused() -> None:
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60)})
    y = (x.a > 0).to_numpy().astype(int)
    plain = ts.KNNShapley(random_state=0).fit(x, y, reference=(x, y)).scores_
    for other in (y.astype(str), y.astype(bool), y.astype(bool).astype(str)):
        scores = ts.KNNShapley(random_state=0).fit(x, y, reference=(x, other)).scores_
        assert np.array_equal(scores, plain)
    for missing in (
        pd.Series([pd.NA, *y[1:].astype(bool)], dtype="boolean"),
        pd.Series([pd.NA, *np.where(y[1:], "u", "v")], dtype="string"),
        pd.Series(pd.to_datetime([None, "2020-01-01"] * 30)),
    ):
        with pytest.raises(ts.SchemaError, match="row 1 has no label"):
            ts.KNNShapley().fit(x, missing)


def test_c15_sparse_columns_come_in_and_go_out() -> None:
    rng = np.random.default_rng(0)
    colour = pd.Series(rng.choice(["r", "g", "b"], 60))
    dummies = pd.get_dummies(colour, sparse=True, dtype=int)
    for frame in (dummies, pd.concat([pd.DataFrame({"x": rng.normal(size=60)}), dummies], axis=1)):
        drawn = ts.SequentialTrees(random_state=0).fit(frame).sample(9)
        assert drawn.dtypes.equals(frame.dtypes)
        assert ts.KNNShapley().fit(frame, colour).scores_.shape == (60,)
        augmenter = ts.TargetedAugmenter(ts.SMOTE(), hardest=0.4, random_state=0)
        assert augmenter.fit_resample(frame, colour)[0].dtypes.equals(frame.dtypes)


@pytest.mark.slow
def test_c17_rules_that_rows_break_are_listed() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"net": rng.lognormal(4, 0.5, 300).round(2)})
    frame["tax"] = (frame.net * rng.choice([0.07, 0.19], 300)).round(2)
    frame["gross"] = (frame.net + frame.tax).round(2)
    train, holdout = frame[:200], frame[200:]
    unaware = ts.TableEncoder(identities=False).fit(ts.Table.from_frame(train))
    drawn = ts.SequentialTrees(random_state=0).fit(train, encoder=unaware).sample(200)
    answer = ts.Likeness().evaluate(train, drawn, holdout)
    assert answer.divergence.js.value > 0.9
    broken = " ".join(str(kept.rule) for kept in answer.rules if kept.broken)
    assert all(name in broken for name in ("net", "tax", "gross"))


@pytest.mark.parametrize("make", GENERATORS)
@pytest.mark.parametrize(("code", "share"), [(999_999, 0.02), (-9, 0.02), (999_999, 1 / 300)])
def test_c18_codes_are_drawn_as_themselves_and_nothing_between(make, code, share) -> None:
    """Shares within 5 standard errors of 2,000 draws."""
    rng = np.random.default_rng(0)
    income = rng.lognormal(10, 0.5, 300).round(0)
    k = round(share * 300)
    income[:k] = code
    frame = pd.DataFrame({"income": income, "x": rng.normal(size=300)})
    drawn = make(random_state=0).fit(frame).sample(2_000).income
    usual = income[income != code]
    assert ((drawn == code) | drawn.between(usual.min(), usual.max())).all()
    error = 5 * (share / 2_000 + share / 300) ** 0.5
    assert abs((drawn == code).mean() - share) < error
