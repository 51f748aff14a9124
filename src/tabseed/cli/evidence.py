"""The commands ``evidence`` and ``verify``: a bundle for those who decide on a release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed.cli.console import Output, guarded
from tabseed.cli.judging import Asked, say_answers, stop_if_failed
from tabseed.cli.options import (
    FILE,
    AsJson,
    Decimal,
    Encoding,
    Force,
    Kinds,
    Known,
    MaxAuc,
    MaxDisclosure,
    SchemaFile,
    Seed,
    Sensitive,
    Source,
    Target,
    Thousands,
    Train,
    read_like,
)
from tabseed.cli.progress import progress_bar
from tabseed.errors import FileError, TabseedError

if TYPE_CHECKING:
    from tabseed.evidence.collect import Inputs

READING = ("kinds", "encoding", "decimal", "thousands")  # options that are recorded


@guarded
def evidence(
    train: Train,
    synthetic: Annotated[
        Path, typer.Argument(metavar="SYNTHETIC", help="The synthetic rows to be released.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar=FILE, help="Write the bundle (a zip) here.")
    ],
    holdout: Annotated[
        Path | None,
        typer.Option("--holdout", metavar=FILE, help="Real rows not used in training, to judge."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar=FILE,
            help="The model file that drew the rows: what it says of itself, and attacks with it.",
        ),
    ] = None,
    target: Target = None,
    sensitive: Sensitive = None,
    known: Known = None,
    max_auc: MaxAuc = None,
    max_disclosure: MaxDisclosure = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    encoding: Encoding = "utf-8",
    decimal: Decimal = None,
    thousands: Thousands = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write the evidence on a synthetic table into one file.

    Exit code 3 if a limit for privacy is set and not kept; the bundle is written all the same.
    """
    from tabseed.evidence.collect import Judged, collect
    from tabseed.table.files import check_outputs

    check_outputs([], [output], [train, synthetic, holdout, model, schema], force)
    asked = Asked(sensitive, known, max_auc, max_disclosure)
    files = {"train": train, "synthetic": synthetic, "holdout": holdout, "model": model}
    reading = {"kinds": kind, "encoding": encoding, "decimal": decimal, "thousands": thousands}
    inputs = _inputs({k: v for k, v in files.items() if v is not None}, schema, reading)
    judged = Judged(target, asked.privacy(), seed)
    out = Output(as_json)
    with progress_bar("judging") as progress:
        answer, digest = collect(output, inputs, judged, force=force, progress=progress)
    out.result |= {"bundle": str(output), "sha256": digest, "passed": answer.passed}
    out.result["answers"] = answer.answers
    say_answers(out, answer)
    out.say("bundle", output)
    out.say("sha256", digest)
    out.finish("evidence")
    stop_if_failed(answer.passed)


@guarded
def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle of evidence.")],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--files",
            metavar="FOLDER",
            help="The folder with the files that were judged: their hashes are checked, and every "
            "number is computed again.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a bundle of evidence, and compute its numbers again.

    Exit code 3 if something is not as it was.
    """
    from tabseed.evidence.collect import verify as verified

    if folder is not None and not folder.is_dir():
        raise FileError(f"--files {folder}: there is no such folder")
    out = Output(as_json)
    inputs = None if folder is None else _recorded_inputs(bundle, folder)
    with progress_bar("judging") as progress:
        answer = verified(bundle, inputs, progress=progress)
    out.result["verification"] = answer.to_dict()
    out.verdict(answer)
    out.answer(answer)
    out.finish("verify")
    stop_if_failed(answer.passed)


def _inputs(files: dict[str, Path], schema: Path | None, reading: dict[str, Any]) -> Inputs:
    """Read the tables of a bundle."""
    from tabseed.evidence.collect import Inputs

    kinds, encoding = reading["kinds"], reading["encoding"]
    marks = reading["decimal"], reading["thousands"]
    real = Source(files["train"], schema, kinds, None, encoding, *marks).read()
    fake = read_like(files["synthetic"], real, "synthetic", encoding)
    held_out = None
    if "holdout" in files:
        held_out = read_like(files["holdout"], real, "holdout", encoding)
    return Inputs(real, fake, held_out, files, {key: reading[key] for key in READING})


def _recorded_inputs(bundle: Path, folder: Path) -> Inputs:
    """Read the files that a bundle names from a folder, as it says that they were read."""
    import json
    import tempfile

    from tabseed.evidence.collect import ROLES, recorded

    provenance, schema = recorded(bundle)
    files, options = (provenance.get(key) for key in ("files", "options"))
    if not isinstance(files, dict) or not isinstance(options, dict) or "train" not in files:
        raise TabseedError(f"{bundle}: its provenance names no files")
    for role, entry in files.items():
        if role not in ROLES or not isinstance(entry, dict) or "name" not in entry:
            raise TabseedError(f"{bundle}: its provenance names no files")
    paths = {role: folder / Path(str(entry["name"])).name for role, entry in files.items()}
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "schema.json"
        path.write_text(json.dumps(schema), encoding="utf-8")
        return _inputs(paths, path, {key: options.get(key) for key in READING} | {"kinds": None})
