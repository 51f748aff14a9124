"""The command ``tabseed synth``: learning, drawing and errors, with and without a bias."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tabseed
from helpers.command import Ran, names_in, refused, spawn, table
from tabseed.cli.streams import Use, stream_for
from tabseed.generators import GENERATORS
from tabseed.inductive_bias import bias_class
from tabseed.table import files as io

# --- learning and drawing ------------------------------------------------------------------------


def test_sample_draws_from_the_model_of_synth(tab, data, tmp_path) -> None:
    out, model = tmp_path / "out.csv", tmp_path / "m.tabseed"
    ran = tab("synth", data, "-o", out, "--generator", "resample", "--model", model, "--rows", 7)
    assert ran.code == 0 and ran.said == ""
    assert len(io.read_table(out)) == 7
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        tab("sample", model, "-o", tmp_path / f"{name}.csv", "--rows", 50, "--seed", seed)
    a, b, c = ((tmp_path / f"{name}.csv").read_bytes() for name in "abc")
    assert a == b != c
    assert io.read_table(tmp_path / "a.csv").column_names == ["size", "n", "kind"]


def test_synth_leaves_ids_out_and_says_so(tab, tmp_path) -> None:
    marked = table().append_column("id", pa.array([f"p{i}" for i in range(40)]))
    io.write_table(marked, tmp_path / "t.csv")
    out = tmp_path / "o.csv"
    ran = tab("synth", tmp_path / "t.csv", "-o", out, "--generator", "resample")
    assert "column 'id': all distinct, and by its name a number of people" in ran.out
    assert io.read_table(out).column_names == ["size", "n", "kind"]


# --- inductive bias -----------------------------------------------------------------------------


@pytest.fixture
def biased(tab, data, tmp_path):
    """Learn ``data`` with a bias, with --json; return the run and the two files written."""
    pytest.importorskip("torch")
    out, model = tmp_path / "o.parquet", tmp_path / "m.tabseed"

    def call(name: str, *further: object) -> tuple[Ran, Path, Path]:
        line = ("synth", data, "-o", out, "--model", model, "--bias", name, "--device", "cpu")
        return tab(*line, "--json", *further), out, model

    return call


@pytest.mark.slow
@pytest.mark.parametrize(("name", "paper"), [("average", False), ("mixture", True)])
def test_a_bias_gives_the_same_as_in_python_and_so_does_its_model(
    biased, tab, tmp_path, name, paper
) -> None:
    ran, out, model = biased(name, "--seed", 3, "--target", "kind", *["--paper"] * paper)
    cls = bias_class(name)
    assert ran.code == 0
    document = ran.document
    assert (document["bias"], document["bias_used"]) == (name, cls.__name__)
    assert document["generator"] == "VAEBGM"
    assert document["learned"][0] == f"inductive bias: {cls.__name__}"
    maker = tabseed.FineTuned(tabseed.VAEBGM(device="cpu", paper=paper), cls(), random_state=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tabseed.OrthogonalSeedsWarning)
        maker.fit(table(), target="kind")
    drawn = maker.draw(40, random_state=stream_for(Use.SYNTH, 3)).to_arrow()
    assert io.read_table(out).equals(drawn)
    again = tmp_path / "again.parquet"
    assert tab("sample", model, "-o", again, "--rows", 90, "--seed", 5).code == 0
    loaded = tabseed.load(model)
    assert loaded.target_ == "kind" and loaded.generator.device == "cpu"
    drawn = loaded.draw(90, random_state=stream_for(Use.SAMPLE, 5)).to_arrow()
    assert io.read_table(again).equals(drawn)


@pytest.mark.slow
def test_averaging_unrelated_seeds_gives_a_note_not_a_warning(tab, line) -> None:
    ran = tab(*line, "--bias", "average")
    assert ran.said == ""
    assert "\nnote       the averaged seeds are nearly orthogonal" in ran.out
    assert ran.out.count("nearly orthogonal") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("level", "used"), [(0.5, "SeedMixture"), (1e-300, None)])
def test_auto_says_what_it_compared_and_what_it_uses(biased, monkeypatch, level, used) -> None:
    few = (lambda n: tabseed.SmallInit(n), lambda n: tabseed.SeedMixture(n_seeds=n))
    monkeypatch.setattr("tabseed.inductive_bias.auto.CANDIDATES", few)
    monkeypatch.setattr("tabseed.inductive_bias.auto.LEVEL", level)
    ran, *_ = biased("auto")
    assert ran.code == 0
    assert (ran.document["bias"], ran.document["bias_used"]) == ("auto", used)
    text = "\n".join(ran.document["learned"])
    assert "\nSmallInit: " in text and "\nSeedMixture: " in text
    assert (f"\n{used} is used" if used else "none is used") in text
    assert all(line in ran.err for line in ran.document["learned"])


def test_without_a_bias_none_is_reported(tab, data, tmp_path) -> None:
    line = ("synth", data, "-o", tmp_path / "o.csv", "--generator", "resample", "--json")
    document = tab(*line).document
    assert (document["bias"], document["bias_used"]) == ("none", None)


# --- errors: one line on standard error, exit code 2, nothing written ---------------------------

BAD_FILES = {
    "empty": (b"", "is empty"),
    "header": (b"a,b\n", "has a header but no rows"),
    "ragged": (b"a,b\n1,2\n3\n", "line 3: 1 cells where the header has 2"),
    "twice": (b"a,b,a\n1,2,3\n", "'a' occurs twice (columns 1 and 3)"),
    "nameless": (b"a,,b\n1,2,3\n", "column 2 has no name"),
    "binary": (b"PK\x03\x04\0\0\0", "NUL bytes"),
    "latin": ("name\nMüller\n".encode("latin-1"), "--encoding latin-1"),
    "ids": (b"id\n" + b"".join(b"x%d\n" % i for i in range(30)), "set kinds with --kind"),
    "huge": (b"a,b\n1e200,1\n2e200,2\n", "column 'a', row 1"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_tables_are_refused_by_synth(tab, tmp_path, name) -> None:
    content, message = BAD_FILES[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    out = tmp_path / "out.csv"
    refused(tab("synth", path, "-o", out, "--generator", "resample"), str(path), message)
    assert names_in(tmp_path) == ["bad.csv"]


def test_nothing_is_learned_for_a_report_that_cannot_be_made(tab, data, tmp_path) -> None:
    synth = ("synth", data, "-o", tmp_path / "o.csv", "--report", tmp_path / "r.html")
    for further, message in (
        (("--holdout", data), "holdout repeats the training rows"),
        (("--rows", 5), "5 synthetic rows are too few"),
        (("--holdout-share", 0.1), "4 holdout rows are too few"),
    ):
        ran = tab(*synth, "--generator", "resample", *further)
        assert ran.code == 2 and message in ran.err and "\nlearned" not in ran.out
    assert names_in(tmp_path) == ["data.csv"]


def test_files_that_exist_stay_without_force(tab, data, tmp_path) -> None:
    out = tmp_path / "o.csv"
    out.write_text("mine")
    line = ("synth", data, "-o", out, "--generator", "resample")
    refused(tab(*line), "already exists; name another file, or overwrite it with --force")
    assert out.read_text() == "mine"
    assert tab(*line, "--force").code == 0
    assert len(io.read_table(out)) == 40


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_refused(tab, data, tmp_path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    refused(tab("synth", data, "-o", tmp_path / "shut" / "o.csv"), "no permission to write")


# --- other processes ----------------------------------------------------------------------------


# The two networks that train longest take fewer steps here than in the command.
BRIEFLY = """
import sys, tabseed as ts
from tabseed.table.files import read_table, write_table
data, name, out, model = sys.argv[1:]
training = ts.Training(steps=60, warm_up=20, validate_every=10)
maker = {"tvae": ts.TVAE, "ctgan": ts.CTGAN}[name](n_seeds=4, training=training, random_state=11)
write_table(maker.fit(read_table(data)).sample(300), out)
maker.save(model)
"""


@pytest.mark.slow
@pytest.mark.parametrize("generator", sorted(GENERATORS))
def test_same_seed_same_bytes_in_any_process_with_any_threads(data, tmp_path, generator) -> None:
    if generator in ("vaebgm", "tvae", "ctgan"):
        pytest.importorskip("torch")
    outputs = []
    for threads in ("1", "2"):
        out, model = tmp_path / f"{threads}.csv", tmp_path / f"{threads}.tabseed"
        line = ("synth", data, "-o", out, "--generator", generator)
        line += ("--rows", 300, "--seed", 11, "--model", model)
        env = dict.fromkeys(("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "PYTHONHASHSEED"), threads)
        if generator in ("tvae", "ctgan"):
            ran = spawn(data, generator, out, model, program=BRIEFLY, **env)
        else:
            ran = spawn(*line, **env)
        assert ran.code == 0, ran
        outputs.append((out.read_bytes(), model.read_bytes()))
    assert outputs[0] == outputs[1]


def test_broken_rules_are_said_at_once(tab, tmp_path) -> None:
    rng = np.random.default_rng(0)
    low = rng.normal(80, 10, 120).round()
    rows = zip(low, low + rng.gamma(2, 10, 120).round(), strict=True)
    lines = "\n".join(",".join(map(str, row)) for row in rows)
    (tmp_path / "t.csv").write_text(f"low,high\n{lines}\n")
    line = ("synth", tmp_path / "t.csv", "-o", tmp_path / "o.csv", "--json", "--force")
    ran = tab(*line, "--generator", "copula")
    (broken,) = ran.document["broken_rules"]
    assert set(broken["columns"]) == {"low", "high"} and broken["share"] > 0
    assert "holds in all 120 real rows" in ran.err
    for rule in (("--rule", "low <= high"), ("--rules", "found")):
        assert not tab(*line, "--generator", "copula", *rule).document["broken_rules"]


def test_a_sum_that_all_rows_keep_is_computed(tab, tmp_path) -> None:
    rng = np.random.default_rng(0)
    net, tax = rng.lognormal(4, 0.5, 120).round(2), rng.lognormal(2, 0.5, 120).round(2)
    rows = zip(net, tax, (net + tax).round(2), strict=True)
    lines = "\n".join(",".join(map(str, row)) for row in rows)
    (tmp_path / "t.csv").write_text(f"net,tax,gross\n{lines}\n")
    ran = tab("synth", tmp_path / "t.csv", "-o", tmp_path / "o.csv", "--json")
    assert not ran.document["broken_rules"]
    assert "every row keeps the rule gross = net + tax" in ran.document["learned"]
    drawn = io.read_table(tmp_path / "o.csv")
    gross, net, tax = (drawn[name].to_numpy() for name in ("gross", "net", "tax"))
    np.testing.assert_allclose(gross, net + tax, atol=1e-9)


def test_resume_is_for_trainings(tab, data, tmp_path) -> None:
    ran = tab("synth", data, "-o", tmp_path / "o.csv", "--resume", tmp_path / "state")
    refused(ran, "--resume: SequentialTrees learns in one go")
