"""Make a bundle of evidence from files, and verify one against files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sklearn.base import clone

from tabseed._progress import Progress
from tabseed.errors import FileError
from tabseed.evaluation.evaluation import Evaluation, evaluate
from tabseed.evaluation.questions import PRIVACY, Questions
from tabseed.evidence.bundle import (
    changed_members,
    file_hash,
    name_of,
    read_bundle,
    write_bundle,
)
from tabseed.evidence.documents import Provenance, documents
from tabseed.evidence.verify import Check, Verification, check_inputs, check_members, check_numbers
from tabseed.generators.base import Generator
from tabseed.pages import versions
from tabseed.saved import load
from tabseed.table import Table
from tabseed.table.files import read_json

ROLES = ("train", "synthetic", "holdout", "model")
RECORDED = ("sensitive", "keys", "max_auc", "max_disclosure")  # of a question on privacy


@dataclass(frozen=True)
class Inputs:
    """The tables of a bundle and the files that they were read from.

    ``files``: the path of each table by role, and that of the model file, if there is one.
    ``options``: how the files were read; they are recorded, and JSON-ready.
    """

    train: Table
    synthetic: Table
    holdout: Table | None
    files: Mapping[str, Path]
    options: Mapping[str, Any]

    @property
    def tables(self) -> dict[str, Table]:
        """The tables by role."""
        found = {"train": self.train, "synthetic": self.synthetic, "holdout": self.holdout}
        return {role: table for role, table in found.items() if table is not None}

    def model(self) -> Generator | None:
        """Return the generator of the model file, if there is one."""
        return load(self.files["model"]) if "model" in self.files else None

    def hashes(self) -> dict[str, tuple[int, str]]:
        """Return bytes and SHA-256 of each file by role."""
        return {role: file_hash(path) for role, path in self.files.items()}


@dataclass(frozen=True)
class Judged:
    """How a bundle judges: the column to predict, the questions on privacy, the seed."""

    target: str | None = None
    privacy: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {"target": self.target, "privacy": dict(self.privacy), "seed": self.seed}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Judged:
        """Return what :meth:`to_dict` wrote; FileError for anything else."""
        privacy, seed, target = data.get("privacy"), data.get("seed"), data.get("target")
        if (
            not isinstance(privacy, dict)
            or not set(privacy) <= set(RECORDED)
            or not isinstance(seed, int)
            or not isinstance(target, str | None)
        ):
            raise FileError("provenance.json: says of itself in another way how it was judged")
        return cls(target, privacy, seed)


def collect(
    path: str | os.PathLike[str],
    inputs: Inputs,
    judged: Judged,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> tuple[Evaluation, str]:
    """Judge the tables, write the bundle, and return the evaluation and the bundle's SHA-256.

    Files are hashed before and after; FileError if one changed meanwhile. Cost: that of
    :func:`~tabseed.evaluation.evaluation.evaluate`.
    """
    hashes = inputs.hashes()
    model = inputs.model()
    answer = _judge(inputs, model, judged, progress)
    provenance = Provenance(
        files={
            role: {
                "name": name_of(inputs.files[role]),
                "bytes": size,
                "sha256": digest,
                **({"rows": len(inputs.tables[role])} if role in inputs.tables else {}),
            }
            for role, (size, digest) in hashes.items()
        },
        options={**inputs.options, **judged.to_dict()},
        generator=None if model is None else _described(model),
        versions=versions(),
    )
    members = documents(answer, inputs.tables, provenance)
    if inputs.hashes() != hashes:
        raise FileError(f"{path}: a file changed while it was judged; run the command again")
    return answer, write_bundle(path, members, force=force)


def _judge(
    inputs: Inputs, model: Generator | None, judged: Judged, progress: Progress | None
) -> Evaluation:
    asked = Questions(privacy=clone(PRIVACY).set_params(**judged.privacy))
    if model is not None:
        asked = asked.about(model, inputs.train, len(inputs.synthetic))
    return evaluate(
        inputs.train,
        inputs.synthetic,
        inputs.holdout,
        target=judged.target,
        questions=asked,
        random_state=judged.seed,
        n_jobs=-1,
        progress=progress,
    )


def _described(model: Generator) -> dict[str, Any]:
    return {
        "class": type(model).__name__,
        "parameters": {k: str(v) for k, v in model.get_params(deep=False).items()},
        "rows learned": model.n_rows_,
        "target": model.target_,
        "summary": list(model.summary()),
        "holds": model.holds.to_dict(),
    }


def recorded(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the provenance and the schema that a bundle recorded; FileError if there is none."""
    _, members = read_bundle(path)
    try:
        documents = [read_json(members[name]) for name in ("provenance.json", "schema.json")]
    except (KeyError, ValueError) as error:
        raise FileError(f"{path}: its provenance cannot be read: {error}") from error
    if not all(isinstance(d, dict) for d in documents):
        raise FileError(f"{path}: its provenance is no document of tabseed")
    return documents[0], documents[1]


def verify(
    path: str | os.PathLike[str],
    inputs: Inputs | None = None,
    *,
    progress: Progress | None = None,
) -> Verification:
    """Check the hashes of a bundle and, with its files at hand, compute its numbers again.

    FileError if the bundle cannot be read. Without ``inputs`` only the bundle is checked.
    """
    manifest, members = read_bundle(path)
    checks = check_members(manifest, changed_members(manifest, members))
    if any(check.ok is False for check in checks):
        return Verification(tuple(checks))
    provenance, _ = recorded(path)
    given = {} if inputs is None else inputs.hashes()
    checks += check_inputs(provenance["files"], given)
    again = "numbers computed again"
    if inputs is None or any(check.ok is not True for check in checks):
        checks.append(Check(again, None, "it takes all the files of the bundle, unchanged"))
    else:
        judged = Judged.from_dict(
            {key: provenance["options"].get(key) for key in ("target", "privacy", "seed")}
        )
        before = read_json(members["evaluation.json"])
        now = _judge(inputs, inputs.model(), judged, progress).to_dict()
        same = provenance["versions"] == versions()
        checks.append(check_numbers(before, now, same_versions=same))
    return Verification(tuple(checks))
