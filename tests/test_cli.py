"""The command as its users meet it: results, refusals of one line, interrupts, hostile names."""

from __future__ import annotations

import contextlib
import html
import json
import os
import signal
import subprocess
import sys
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy

import tabseed
from tabseed.archive import FORMAT, MAX_DOCUMENT_BYTES
from tabseed.cli import SAMPLE, SYNTH, _stream, app
from tabseed.cli.console import run
from tabseed.cli.options import OFFERED
from tabseed.generators import GENERATORS
from tabseed.inductive_bias import bias_class
from tabseed.table import files as io

COMMANDS = ("info", "split", "synth", "sample", "evaluate")
HOSTILE = ("<b>=1+1</b>", "=cmd()", "two\nlines", "\x1b[31mred", "{{ 7*7 }}", "\u202eright")
HOSTILE_LEVEL = '"><img src=x onerror=alert(1)>'


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict:
        return json.loads(self.out)


@pytest.fixture
def tab(capsys):
    """Run a command line in this process."""

    def call(*arguments: object) -> Ran:
        code = run(app, [str(a) for a in arguments])
        return Ran(code, *capsys.readouterr())

    return call


def spawn(*arguments: object, program: str | None = None, **env: str) -> Ran:
    """Run a command line in a process of its own; ``program`` replaces the command."""
    start = ["-m", "tabseed"] if program is None else ["-c", program]
    done = subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **env},
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def refused(ran: Ran, *parts: str) -> None:
    """Expect exit code 2 and one line, the last, that holds all ``parts``."""
    assert ran.code == 2, ran
    assert ran.out == ""
    line = ran.err.removesuffix("\n")
    assert line.startswith("error: ") and "\n" not in line
    for part in parts:
        assert part in line


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def table(n: int = 40, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return pa.table(
        {
            "size": np.round(z, 2),
            "n": np.clip(np.round(2 * z + rng.normal(size=n)), -4, 4).astype(int),
            "kind": np.where(z > 0.3, "up", np.where(z < -0.3, "down", "flat")).tolist(),
        }
    )


@pytest.fixture
def data(tmp_path) -> Path:
    io.write_table(table(), tmp_path / "data.csv")
    return tmp_path / "data.csv"


# --- help and version ---------------------------------------------------------------------------


def test_help_names_every_command_generator_and_the_version(tab) -> None:
    ran = tab("--help")
    assert ran.code == 0 and all(f"\n  {name} " in ran.out for name in COMMANDS)
    assert "..." not in ran.out.partition("Commands:")[2]  # no summary is cut
    bare = tab()
    assert (bare.code, bare.out, bare.err) == (2, "", ran.out)
    assert tab("--version").out == f"tabseed {tabseed.__version__}\n"
    assert all(name in tab("synth", "--help").out for name in (*GENERATORS, *OFFERED))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_and_says_what_is_missing(tab, command) -> None:
    ran = tab(command, "--help")
    assert ran.code == 0 and ran.out.startswith(f"Usage: tabseed {command}") and ran.err == ""
    refused(tab(command), "Missing", f"tabseed {command} --help")


# --- what each command does ---------------------------------------------------------------------


def test_info_tells_kinds_and_its_schema_is_read_back(tab, data, tmp_path) -> None:
    ran = tab("info", data, "--kind", "n=categorical", "--save-schema", tmp_path / "s.json")
    assert ran.code == 0 and ran.err == ""
    assert "40 rows, 3 columns" in ran.out and "set by you" in ran.out
    again = tab("info", data, "--schema", tmp_path / "s.json", "--json")
    kinds = {c["name"]: c["kind"] for c in again.document["columns"]}
    assert kinds == {"size": "continuous", "n": "categorical", "kind": "categorical"}


def test_info_shows_ranges_but_no_value_of_an_id(tab, tmp_path) -> None:
    io.write_table(
        pa.table(
            {
                "patient_id": [f"secret-{i}" for i in range(30)],
                "grams": [10_000_000 + i % 7 for i in range(30)],
                "same": [5] * 30,
                "seen": [f"16{i + 10}-01-05" for i in range(30)],
            }
        ),
        tmp_path / "t.csv",
    )
    ran = tab("info", tmp_path / "t.csv")
    assert "secret" not in ran.out and "not shown" in ran.out
    assert "10000000 to 10000006" in ran.out and "1610-01-05 to 1639-01-05" in ran.out
    assert {c["values"] for c in tab("info", tmp_path / "t.csv", "--json").document["columns"]} >= {
        "5"
    }


def test_split_parts_the_rows_and_keeps_shares(tab, data, tmp_path) -> None:
    train, holdout = tmp_path / "a.csv", tmp_path / "b.parquet"
    ran = tab("split", data, "--train", train, "--holdout", holdout, "--share", 0.5, "--json")
    assert ran.document["train"] == {"path": str(train), "rows": 20}
    rows = [*io.read_table(train).to_pylist(), *io.read_table(holdout).to_pylist()]
    key = str
    assert sorted(rows, key=key) == sorted(io.read_table(data).to_pylist(), key=key)
    tab("split", data, "--train", train, "--holdout", holdout, "--stratify", "kind", "--force")
    whole, part = (io.read_table(p)["kind"].to_pylist() for p in (data, train))
    for level in set(whole):
        assert abs(part.count(level) - 0.7 * whole.count(level)) <= 1


def test_synth_model_and_sample_go_together(tab, data, tmp_path) -> None:
    out, model = tmp_path / "out.csv", tmp_path / "m.tabseed"
    ran = tab("synth", data, "-o", out, "--generator", "resample", "--model", model, "--rows", 7)
    assert ran.code == 0 and ran.err == ""
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
    assert "column 'id': all 40 values distinct" in ran.out
    assert io.read_table(out).column_names == ["size", "n", "kind"]


# --- inductive bias -----------------------------------------------------------------------------


@pytest.fixture
def biased(tab, data, tmp_path):
    """Learn ``data`` with a bias, for JSON; give what ran and the two files written."""
    pytest.importorskip("torch")
    out, model = tmp_path / "o.parquet", tmp_path / "m.tabseed"

    def call(name: str, *further: object) -> tuple[Ran, Path, Path]:
        line = ("synth", data, "-o", out, "--model", model, "--bias", name, "--device", "cpu")
        return tab(*line, "--json", *further), out, model

    return call


@pytest.mark.parametrize(("name", "paper"), [("average", False), ("mixture", True)])
def test_a_bias_is_that_of_python_and_its_model_draws_alike(
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
    assert io.read_table(out).equals(maker.sample(40, random_state=_stream(3, SYNTH)))
    again = tmp_path / "again.parquet"
    assert tab("sample", model, "-o", again, "--rows", 90, "--seed", 5).code == 0
    loaded = tabseed.load(model)
    assert loaded.target_ == "kind" and loaded.generator.device == "cpu"
    assert io.read_table(again).equals(loaded.sample(90, random_state=_stream(5, SAMPLE)))


def test_averaging_of_strangers_is_a_note_not_a_warning(tab, line) -> None:
    ran = tab(*line, "--bias", "average")
    assert ran.err == ""
    assert "\nnote       the averaged seeds are nearly orthogonal" in ran.out
    assert ran.out.count("nearly orthogonal") == 1


@pytest.mark.parametrize(("level", "used"), [(0.5, "SeedMixture"), (1e-300, None)])
def test_auto_says_what_it_compared_and_what_it_uses(biased, monkeypatch, level, used) -> None:
    monkeypatch.setattr("tabseed.inductive_bias.auto.CANDIDATES", ("small-init", "mixture"))
    monkeypatch.setattr("tabseed.inductive_bias.auto.LEVEL", level)
    ran, *_ = biased("auto")
    assert ran.code == 0
    assert (ran.document["bias"], ran.document["bias_used"]) == ("auto", used)
    said = "\n".join(ran.document["learned"])
    assert "\nSmallInit: " in said and "\nSeedMixture: " in said
    assert (f"\n{used} is used" if used else "none is used") in said
    assert all(line in ran.err for line in ran.document["learned"])


def test_without_a_bias_none_is_reported(tab, data, tmp_path) -> None:
    line = ("synth", data, "-o", tmp_path / "o.csv", "--generator", "resample", "--json")
    document = tab(*line).document
    assert (document["bias"], document["bias_used"]) == ("none", None)


# --- refusals: one line on standard error, exit code 2, nothing written -------------------------

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


BAD_LINES = [
    (("info", "DIR/none.csv"), "no such file"),
    (("info", "DIR"), "is a directory"),
    (("info", "DATA", "--kind", "n"), "COLUMN=KIND"),
    (("info", "DATA", "--kind", "m=text"), "no column 'm' in the table"),
    (("info", "DATA", "--kind", "sise=text"), "did you mean 'size'?"),
    (("info", "DATA", "--kind", "n=number"), "'number' is not one of continuous"),
    (("info", "DATA", "--kind", "kind=integer"), "column 'kind', row 1"),
    (("info", "DATA", "--encoding", "klingon"), "unknown encoding"),
    (("info", "DATA", "--schema", "DIR/none.json"), "none.json: no such file"),
    (("info", "DATA", "--schema", "DATA"), "not JSON"),
    (("info", "DATA", "--schema", "DIR/other.json"), "'weight' is missing"),
    (("split", "DATA", "--train", "DIR/a.csv", "--holdout", "DIR/a.csv"), "named twice"),
    (("split", "DATA", "--train", "DIR/a.csv", "--holdout", "DIR/b.csv", "--share", "1.5"), "1.5"),
    (("split", "DATA", "--train", "DIR/a.csv", "--holdout", "DIR/b.csv", "--share", "1e-9"), "em"),
    (
        ("split", "DATA", "--train", "DIR/a.csv", "--holdout", "DIR/b.csv", "--stratify", "n"),
        "column 'n' is integer",
    ),
    (
        ("split", "DATA", "--train", "DIR/a.csv", "--holdout", "DIR/b.csv", "--stratify", "k"),
        "no column 'k'",
    ),
    (("synth", "DATA"), "Missing option '--output'"),
    (("synth", "DATA", "-o", "DATA", "--force"), "named twice, as input or output"),
    (("synth", "DATA", "-o", "DIR/out.xlsx"), "unknown ending '.xlsx'"),
    (("synth", "DATA", "-o", "DIR/none/out.csv"), "there is no directory"),
    (("synth", "DATA", "-o", "OUT", "--rows", "0"), "--rows"),
    (("synth", "DATA", "-o", "OUT", "--rows", "many"), "--rows"),
    (("synth", "DATA", "-o", "OUT", "--seed", "-1"), "--seed"),
    (("synth", "DATA", "-o", "OUT", "--sed", "1"), "No such option: --sed"),
    (("synth", "DATA", "-o", "OUT", "--target", "kinds"), "did you mean 'kind'?"),
    (("synth", "DATA", "-o", "OUT", "--generator", "gpt"), "there are trees, arf, copula, smote"),
    (("synth", "DATA", "-o", "OUT", "--generator", "resample", "--paper"), "no such option"),
    (("synth", "DATA", "-o", "OUT", "--bias", "luck"), "there are none, average, pretrain, maml"),
    (("synth", "DATA", "-o", "OUT", "--bias", "continued"), "'continued': there are none"),
    (("synth", "DATA", "-o", "OUT", "--bias", "maml", "--generator", "resample"), "has no seeds"),
    (("synth", "DATA", "-o", "OUT", "--holdout", "DATA"), "--holdout is for --report"),
    (("synth", "DATA", "-o", "OUT", "--holdout-share", ".5"), "--holdout-share is for --report"),
    (("synth", "DATA", "-o", "OUT", "--report", "DIR/r", "--holdout-share", "0"), "0 and 1"),
    (("synth", "DATA", "-o", "DIR/o.parquet", "--for-spreadsheet"), "needs a .csv or .tsv"),
    (("synth", "DATA", "-o", "OUT", "--resume", "DIR/none/c"), "there is no directory"),
    (("sample", "DIR/none.tabseed", "-o", "OUT", "--rows", "5"), "no such file"),
    (("sample", "DATA", "-o", "OUT", "--rows", "5"), "not a zip file"),
    (("evaluate", "DATA", "DATA"), "Missing option '--holdout'"),
    (("evaluate", "DATA", "DATA", "--holdout", "DATA"), "holdout repeats the training rows"),
    (("evaluate", "DATA", "DIR/other.csv", "--holdout", "DATA"), "synthetic table: column 'size'"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES, ids=lambda v: str(v)[:60])
def test_bad_lines_are_refused(tab, data, tmp_path, line, message) -> None:
    (tmp_path / "other.csv").write_text("weight\n1.5\n2.5\n")
    (tmp_path / "other.json").write_text('{"columns": {"weight": {"sdtype": "numerical"}}}')
    before = names_in(tmp_path)
    places = {"DATA": str(data), "DIR": str(tmp_path), "OUT": str(tmp_path / "out.csv")}
    for name, path in places.items():
        line = tuple(word.replace(name, path) for word in line)
    refused(tab(*line), message)
    assert names_in(tmp_path) == before


def test_nothing_is_learned_for_a_report_that_could_not_be(tab, data, tmp_path) -> None:
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
    refused(tab(*line), "exists already; name another file or add --force")
    assert out.read_text() == "mine"
    assert tab(*line, "--force").code == 0
    assert len(io.read_table(out)) == 40


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_refused(tab, data, tmp_path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    refused(tab("synth", data, "-o", tmp_path / "shut" / "o.csv"), "no permission to write")


# --- model files from strangers -----------------------------------------------------------------


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("model") / "m.tabseed"
    tabseed.Resample(random_state=0).fit(table()).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def sampled(tab, path: Path) -> Ran:
    out = path.with_name("o.csv")
    ran = tab("sample", path, "-o", out, "--rows", 9)
    assert out.exists() == (ran.code == 0)
    return ran


def test_the_model_that_is_damaged_below_is_sound(tab, members, tmp_path) -> None:
    pack(tmp_path / "m.tabseed", members)
    assert sampled(tab, tmp_path / "m.tabseed").code == 0


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_truncated_models_are_refused(tab, members, tmp_path, keep) -> None:
    path = tmp_path / "m.tabseed"
    pack(path, members)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    refused(sampled(tab, path), str(path), "not a sound file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": "os.system"}, "unknown generator, 'os.system'"),
        ({"format": FORMAT + 1}, "written by a newer tabseed"),
        ({"format": "new"}, "not a sound model file"),
        ({"parameters": {"smoothing": 0, "evil": 1}}, "not a sound model file"),
        ({"parameters": None}, "not a sound model file"),
        ({"encoder": {}}, "not a sound model file"),
        ({"stream": {"entropy": "x", "spawn_key": []}}, "not a sound model file"),
    ],
)
def test_models_with_a_wrong_description_are_refused(
    tab, members, tmp_path, change, message
) -> None:
    config = json.loads(members["config.json"]) | change
    pack(tmp_path / "m.tabseed", {**members, "config.json": json.dumps(config).encode()})
    refused(sampled(tab, tmp_path / "m.tabseed"), "m.tabseed", message)


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("name", ["config.json", "schema.json", "weights.safetensors"])
def test_models_with_a_damaged_member_are_refused(tab, members, tmp_path, name, content) -> None:
    pack(tmp_path / "m.tabseed", {**members, name: content})
    refused(sampled(tab, tmp_path / "m.tabseed"), "m.tabseed")
    pack(tmp_path / "m.tabseed", {k: v for k, v in members.items() if k != name})
    refused(sampled(tab, tmp_path / "m.tabseed"), "m.tabseed")


def test_models_with_other_arrays_are_refused(tab, members, tmp_path) -> None:
    arrays = safetensors.numpy.load(members["weights.safetensors"])
    rows = arrays["model.rows"]
    for changed in (None, rows[:0], rows[0]):
        others = {k: v for k, v in arrays.items() if k != "model.rows"}
        if changed is not None:
            others["model.rows"] = np.ascontiguousarray(changed)
        weights = safetensors.numpy.save(others)
        pack(tmp_path / "m.tabseed", {**members, "weights.safetensors": weights})
        refused(sampled(tab, tmp_path / "m.tabseed"), "m.tabseed", "not a sound model file")


def test_a_bomb_in_a_model_is_not_unpacked(tab, members, tmp_path) -> None:
    path = tmp_path / "m.tabseed"
    pack(path, {**members, "config.json": b" " * (MAX_DOCUMENT_BYTES + 1)})
    assert path.stat().st_size < MAX_DOCUMENT_BYTES / 500
    refused(sampled(tab, path), "config.json unpacks to more than 64 MiB")


# --- processes: streams, pipes, interrupts ------------------------------------------------------


def test_json_alone_on_standard_output_the_rest_on_standard_error(data, tmp_path) -> None:
    ran = spawn("synth", data, "-o", tmp_path / "o.csv", "--generator", "resample", "--json")
    assert ran.code == 0
    assert ran.document["output"] == str(tmp_path / "o.csv") and ran.document["rows"] == 40
    assert "learned" in ran.err and "\r" not in ran.err and "\x1b" not in ran.err
    bad = spawn("synth", tmp_path / "none.csv", "-o", tmp_path / "p.csv", "--json")
    refused(bad, "none.csv: no such file")


def test_output_survives_a_terminal_that_knows_ascii_only(tmp_path) -> None:
    (tmp_path / "t.csv").write_text("größe\nä\nö\n", encoding="utf-8")
    ran = spawn("info", tmp_path / "t.csv", PYTHONIOENCODING="ascii")
    assert ran.code == 0 and "gr\\xf6\\xdfe" in ran.out and ran.err == ""
    ran = spawn("info", tmp_path / "t.csv", "--json", PYTHONIOENCODING="ascii")
    assert ran.document["columns"][0]["name"] == "größe"


def left_early(*arguments: object) -> tuple[int, bytes]:
    """Run a command whose reader leaves at once, as ``| head -0`` does."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        line = [sys.executable, "-m", "tabseed", *map(str, arguments)]
        done = subprocess.run(line, stdout=pipe, stderr=subprocess.PIPE)
    return done.returncode, done.stderr


def test_a_reader_that_leaves_early_stops_nothing(data, tmp_path) -> None:
    assert left_early("info", data) == (0, b"")
    out = tmp_path / "o.csv"
    assert left_early("synth", data, "-o", out, "--generator", "resample") == (0, b"")
    assert len(io.read_table(out)) == 40


# Runs the command, and sends its own process a signal at a given step of the training.
SIGNALLED = """
import os, sys, torch
at, number, seen, gradient = int(sys.argv.pop(1)), int(sys.argv.pop(1)), [], torch.autograd.grad
def counted(*args, **kwargs):
    seen.append(1)
    if len(seen) == at:
        os.kill(os.getpid(), number)
    return gradient(*args, **kwargs)
torch.autograd.grad = counted
from tabseed.cli import main
main()
"""


@pytest.fixture
def line(data, tmp_path) -> tuple[object, ...]:
    pytest.importorskip("torch")
    out, model = tmp_path / "o.csv", tmp_path / "m.tabseed"
    return ("synth", data, "-o", out, "--model", model, "--device", "cpu")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_in_the_midst_of_training_leaves_nothing(line, tmp_path, number, code) -> None:
    stopped = spawn(60, int(number), *line, program=SIGNALLED)
    assert stopped.code == code
    assert stopped.err == ("interrupted; nothing was left half-written\n" if code == 130 else "")
    assert "learned  " not in stopped.out
    assert names_in(tmp_path) == ["data.csv"]


def test_a_resumed_training_ends_with_the_same_bytes(tab, line, tmp_path) -> None:
    kept = tmp_path / "kept"
    stopped = spawn(60, int(signal.SIGINT), *line, "--resume", kept, program=SIGNALLED)
    assert stopped.code == 130 and f"{kept} keeps the training" in stopped.err
    assert names_in(tmp_path) == ["data.csv", "kept"]
    other = tab(*line, "--resume", kept, "--seed", 1)
    assert other.code == 2 and "on other data or with other settings" in other.err
    assert other.err.count("\n") == 1
    ends_with_the_same_bytes(line, kept, tmp_path)


def ends_with_the_same_bytes(line, kept: Path, folder: Path) -> None:
    """Go on from what was kept, then begin anew: one table, one model file."""
    found = []
    for further in (("--resume", kept), ("--force",)):
        assert spawn(*line, *further).code == 0
        assert names_in(folder) == ["data.csv", "m.tabseed", "o.csv"]
        found.append([(folder / name).read_bytes() for name in ("o.csv", "m.tabseed")])
    assert found[0] == found[1]


# The same at the 30th step of a given training: an inductive bias has several.
SIGNALLED_LATER = """
import os, sys, torch
import tabseed.inductive_bias.base as base
at, number, seen = int(sys.argv.pop(1)), int(sys.argv.pop(1)), []
gradient, train = torch.autograd.grad, base.train_ensemble
def begun(*args, **kwargs):
    seen.append(0)
    return train(*args, **kwargs)
def counted(*args, **kwargs):
    seen[-1] += 1
    if (len(seen), seen[-1]) == (at, 30):
        os.kill(os.getpid(), number)
    return gradient(*args, **kwargs)
base.train_ensemble, torch.autograd.grad = begun, counted
from tabseed.cli import main
main()
"""


def test_a_bias_resumes_in_any_training_and_ends_with_the_same_bytes(line, tmp_path) -> None:
    line, kept = (*line, "--bias", "pretrain"), tmp_path / "kept"
    stops = ((1, signal.SIGINT, 130), (2, signal.SIGKILL, -9), (2, signal.SIGINT, 130))
    for finished, (training, number, code) in enumerate(stops):
        stopped = spawn(training, int(number), *line, "--resume", kept, program=SIGNALLED_LATER)
        assert stopped.code == code, stopped
        assert names_in(tmp_path) == ["data.csv", "kept"]
        with zipfile.ZipFile(kept) as archive:
            assert len(json.loads(archive.read("checkpoint.json"))["finished"]) == finished
    ends_with_the_same_bytes(line, kept, tmp_path)


def test_a_terminal_sees_one_bar_over_all_trainings(line) -> None:
    own, theirs = os.openpty()
    command = [sys.executable, "-m", "tabseed", *map(str, line), "--bias", "average"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs) as running:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(own, 4096):
                seen += part
    os.close(own)
    assert running.returncode == 0
    first, second = seen.find(b"10 seeds: "), seen.find(b"WeightAveraging, tuning: ")
    assert 0 <= first < second


@pytest.mark.parametrize("generator", sorted(GENERATORS))
def test_same_seed_same_bytes_in_any_process_with_any_threads(data, tmp_path, generator) -> None:
    if generator in ("vaebgm", "tvae", "ctgan"):
        pytest.importorskip("torch")
    found = []
    for threads in ("1", "2"):
        out, model = tmp_path / f"{threads}.csv", tmp_path / f"{threads}.tabseed"
        options = ("--generator", generator, "--rows", 300, "--seed", 11, "--model", model)
        env = {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads}
        assert spawn("synth", data, "-o", out, *options, **env).code == 0
        found.append((out.read_bytes(), model.read_bytes()))
    assert found[0] == found[1]


# --- what is imported, and what may be absent ---------------------------------------------------


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import tabseed", "torch sklearn pandas polars pyarrow scipy numpy"),
        ("import tabseed.cli", "torch sklearn pandas polars pyarrow scipy numpy rich"),
    ],
)
def test_importing_is_light(program, absent) -> None:
    ran = spawn(program=f"{program}, sys; print(*set({absent.split()}) & set(sys.modules))")
    assert (ran.code, ran.out.strip(), ran.err) == (0, "", "")


WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from tabseed.cli import main
main()
"""


def test_without_torch_all_works_but_what_needs_it(data, tmp_path) -> None:
    out, model = tmp_path / "o.csv", tmp_path / "m.tabseed"
    held = tmp_path / "held.csv"
    io.write_table(table(seed=1), held)
    for line in (
        ("info", data),
        ("synth", data, "-o", out, "--model", model),
        ("sample", model, "-o", tmp_path / "p.csv", "--rows", 5),
        ("evaluate", data, out, "--holdout", held, "--report", tmp_path / "r.html"),
    ):
        ran = spawn(*line, program=WITHOUT_TORCH)
        assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("verdict ") and "Jensen-Shannon divergence, coarse" in ran.out
    before = names_in(tmp_path)
    for further, message in (
        (("--generator", "vaebgm"), 'pip install "tabseed[neural]"'),
        (("--paper",), 'pip install "tabseed[neural]"'),
        (("--bias", "average"), 'pip install "tabseed[neural]"'),
        (("--bias", "average", "--generator", "resample"), "resample has no seeds"),
    ):
        ran = spawn("synth", data, "-o", tmp_path / "v.csv", *further, program=WITHOUT_TORCH)
        refused(ran, message)
    assert names_in(tmp_path) == before


# --- hostile names ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    rng = np.random.default_rng(0)
    columns: dict[str, list] = {name: rng.integers(0, 4, 60).tolist() for name in HOSTILE}
    columns["level"] = rng.choice([HOSTILE_LEVEL, "=1+1", "\x1b[2J"], 60).tolist()
    columns["<i>id</i>"] = [f"u{i}" for i in range(60)]
    path = tmp_path_factory.mktemp("hostile") / "t.csv"
    io.write_table(pa.table(columns), path)
    return path


def test_hostile_names_steer_no_terminal(tab, hostile) -> None:
    ran = tab("info", hostile)
    assert ran.code == 0
    assert all(c.isprintable() or c == "\n" for c in ran.out)
    bad = tab("info", hostile, "--kind", "\x1b[31mred=continuous:%Y\n")
    assert bad.code == 2 and bad.err.count("\n") == 1 and "\x1b" not in bad.err


def test_hostile_names_stay_text_in_report_and_table(tab, hostile, tmp_path) -> None:
    page, out = tmp_path / "r.html", tmp_path / "o.csv"
    line = ("synth", hostile, "-o", out, "--generator", "resample", "--report", page)
    ran = tab(*line, "--for-spreadsheet", "--json")
    assert ran.code == 0 and ran.document["evaluation"]["columns"] == [*HOSTILE, "level"]
    text = page.read_text(encoding="utf-8")
    for name in (*HOSTILE, "<i>id</i>"):
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
        assert html.escape(shown) in text
    for raw in ("<b>=", "<i>id", "<img", "<script", "\x1b", "\u202e"):
        assert raw not in text
    assert "default-src 'none'" in text
    first = out.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("<b>=1+1</b>,'=cmd(),")
    levels = set(io.read_table(out)["level"].to_pylist())
    assert levels == {HOSTILE_LEVEL, "'=1+1", "\x1b[2J"}


def test_a_mistake_of_ours_is_one_line_with_its_place(tab, data, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("tabseed.table.describe.describe", broken)
    ran = tab("info", data)
    assert ran.code == 1 and ran.err.count("\n") == 1
    assert "ZeroDivisionError: oops" in ran.err and "cli.py, line " in ran.err
