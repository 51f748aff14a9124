"""The command as a whole: help, errors of one line, light imports, work without PyTorch."""

from __future__ import annotations

import json
import os
import zipfile

import pytest

import tabseed
from helpers.command import Ran, names_in, refused, spawn, table
from tabseed.cli.options import OFFERED
from tabseed.generators import GENERATORS
from tabseed.table import files as io

COMMANDS = ("info", "split", "synth", "sample", "evaluate", "evidence", "verify")


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
    assert ran.code == 0 and ran.out.startswith(f"Usage: tabseed {command}") and ran.said == ""
    refused(tab(command), "Missing", f"tabseed {command} --help")


# --- errors: one line on standard error, exit code 2, nothing written ---------------------------

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
    (("synth", "DATA", "-o", "DIR/out.xlsx"), "are only read; writable are .csv"),
    (("synth", "DATA", "-o", "DIR/none/out.csv"), "there is no directory"),
    (("synth", "DATA", "-o", "OUT", "--rows", "0"), "--rows"),
    (("synth", "DATA", "-o", "OUT", "--rows", "many"), "--rows"),
    (("synth", "DATA", "-o", "OUT", "--seed", "-1"), "--seed"),
    (("synth", "DATA", "-o", "OUT", "--sed", "1"), "--sed"),
    (("synth", "DATA", "-o", "OUT", "--target", "kinds"), "did you mean 'kind'?"),
    (
        ("synth", "DATA", "-o", "OUT", "--generator", "gpt"),
        "'gpt' is not one of trees, arf, copula, smote",
    ),
    (("synth", "DATA", "-o", "OUT", "--generator", "resample", "--paper"), "no such option"),
    (
        ("synth", "DATA", "-o", "OUT", "--bias", "luck"),
        "'luck' is not one of none, average, pretrain, maml",
    ),
    (("synth", "DATA", "-o", "OUT", "--bias", "continued"), "'continued' is not one of none"),
    (("synth", "DATA", "-o", "OUT", "--bias", "maml", "--generator", "resample"), "has no seeds"),
    (("synth", "DATA", "-o", "OUT", "--teacher", "trees"), "only --bias pretrain, drs or maml"),
    (("synth", "DATA", "-o", "OUT", "--bias", "drs", "--teacher", "tree"), "'tree' is not one of"),
    (
        ("synth", "DATA", "-o", "OUT", "--bias", "pretrain", *["--teacher", "trees"] * 2),
        "one --teacher; --bias drs takes several",
    ),
    (("synth", "DATA", "-o", "OUT", "--holdout", "DATA"), "--holdout needs --report"),
    (("synth", "DATA", "-o", "OUT", "--holdout-share", ".5"), "--holdout-share needs --report"),
    (("synth", "DATA", "-o", "OUT", "--report", "DIR/r", "--holdout-share", "0"), "0 and 1"),
    (("synth", "DATA", "-o", "DIR/o.parquet", "--for-spreadsheet"), "needs a .csv or .tsv"),
    (("synth", "DATA", "-o", "OUT", "--resume", "DIR/none/c"), "there is no directory"),
    (("sample", "DIR/none.tabseed", "-o", "OUT", "--rows", "5"), "no such file"),
    (("sample", "DATA", "-o", "OUT", "--rows", "5"), "not a zip file"),
    (("evaluate", "DATA", "DATA", "--max-disclosure", "0.1"), "--max-disclosure needs --sensitive"),
    (("evaluate", "DATA", "DATA", "--known", "x"), "--known needs --sensitive"),
    (("evaluate", "DATA", "DATA", "--shadows"), "--shadows needs --model"),
    (("evaluate", "DATA", "DATA", "--max-auc", "2"), "--max-auc 2 is not a number from 0.5 to 1"),
    (("evaluate", "DATA", "DATA", *["--sensitive", "kind", "--known", "kind"]), "as a key and as"),
    (("evaluate", "DATA", "DATA", "--sensitive", "job"), "it has 'size', 'n', 'kind'"),
    (
        ("evaluate", "DATA", "DATA", "--kind", "kind=text", "--sensitive", "kind"),
        "column 'kind' is left out",
    ),
    (("info", "DIR/broken.tabseed"), "broken.tabseed: not a sound"),
    (("synth", "DATA", "-o", "OUT", "--kind", "kind=text", "--target", "kind"), "cannot be the"),
    (("verify", "DATA", "--files", "DATA"), "there is no such folder"),
    (("verify", "DIR/empty.zip"), "it has no manifest.json"),
    (("evaluate", "DATA", "DATA", "--holdout", "DATA"), "holdout repeats the training rows"),
    (("evaluate", "DATA", "DIR/other.csv", "--holdout", "DATA"), "synthetic table: column 'size'"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES, ids=lambda v: str(v)[:60])
def test_bad_lines_are_refused(tab, data, tmp_path, line, message) -> None:
    (tmp_path / "other.csv").write_text("weight\n1.5\n2.5\n")
    (tmp_path / "broken.tabseed").write_bytes(b"PK")
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    (tmp_path / "other.json").write_text('{"columns": {"weight": {"sdtype": "numerical"}}}')
    before = names_in(tmp_path)
    paths = {"DATA": str(data), "DIR": str(tmp_path), "OUT": str(tmp_path / "out.csv")}
    for name, path in paths.items():
        line = tuple(word.replace(name, path) for word in line)
    refused(tab(*line), message)
    assert names_in(tmp_path) == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_is_one_line(data) -> None:
    ran = spawn(
        program=f"""
import subprocess, sys
command = [sys.executable, "-m", "tabseed", "info", {str(data)!r}]
with open("/dev/full", "w") as full:
    done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
print(done.returncode, done.stderr, end="")
"""
    )
    assert ran.out == "2 error: cannot print: No space left on device\n"


# --- light imports and absent packages ----------------------------------------------------------


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
import contextlib, io, json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from tabseed.cli import app
from tabseed.cli.console import run
def ran(line):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(app, line)
    return code, out.getvalue(), err.getvalue()
print(json.dumps([ran(line) for line in json.loads(sys.argv[1])]))
"""


def without_torch(*lines: tuple[object, ...]) -> list[Ran]:
    """Run command lines, one after another, in a process where PyTorch is not installed."""
    arguments = json.dumps([[str(part) for part in line] for line in lines])
    ran = spawn(arguments, program=WITHOUT_TORCH)
    assert (ran.code, ran.said) == (0, "")
    return [Ran(*each) for each in json.loads(ran.out)]


@pytest.mark.slow
def test_without_torch_everything_else_works(data, tmp_path) -> None:
    out, model = tmp_path / "o.csv", tmp_path / "m.tabseed"
    held_out = tmp_path / "held.csv"
    io.write_table(table(seed=1), held_out)
    runs = without_torch(
        ("info", data),
        ("synth", data, "-o", out, "--model", model),
        ("sample", model, "-o", tmp_path / "p.csv", "--rows", 5),
        ("evaluate", data, out, "--holdout", held_out, "--report", tmp_path / "r.html"),
    )
    assert [(ran.code, ran.said) for ran in runs] == [(0, "")] * 4
    text = runs[-1].out
    assert text.startswith("Alike? ") and "Jensen-Shannon divergence, coarse" in text
    before = names_in(tmp_path)
    messages = (
        (("--generator", "vaebgm"), "this generator needs PyTorch: pip install torch"),
        (("--paper",), "this generator needs PyTorch: pip install torch"),
        (("--bias", "average"), "this generator needs PyTorch: pip install torch"),
        (("--bias", "average", "--generator", "resample"), "resample has no seeds"),
    )
    synth = ("synth", data, "-o", tmp_path / "v.csv")
    runs = without_torch(*((*synth, *further) for further, _ in messages))
    for ran, (_, message) in zip(runs, messages, strict=True):
        refused(ran, message)
    assert names_in(tmp_path) == before
