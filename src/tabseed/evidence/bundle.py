"""The file of evidence: a zip of documents, with a manifest of their hashes. Read with bounds."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabseed.archive import EPOCH
from tabseed.errors import FileError, one_line
from tabseed.table.files import atomic_write, read_json, regular_file

MANIFEST = "manifest.json"
FORMAT = 1  # raised when older programs can no longer read the files
MAX_BYTES = 2**26  # of a member, and MAX_MEMBERS of them: a file may come from a stranger
MAX_MEMBERS = 64
CHUNK = 2**20

Members = dict[str, bytes]


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def file_hash(path: str | os.PathLike[str]) -> tuple[int, str]:
    """Return the size of a file in bytes, and its SHA-256. FileError if it cannot be read."""
    digest, size = hashlib.sha256(), 0
    try:
        with regular_file(path).open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from error
    return size, digest.hexdigest()


def as_json(value: Any) -> bytes:
    """Return a document as JSON, the same bytes for the same content."""
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


def write_bundle(
    path: str | os.PathLike[str], members: Mapping[str, bytes], *, force: bool = False
) -> str:
    """Write the members and their manifest, the whole file or nothing; return its SHA-256.

    The same members give the same bytes. FileError if the file exists, unless ``force``.
    """
    hashes = {name: {"bytes": len(data), "sha256": sha256(data)} for name, data in members.items()}
    manifest = as_json({"format": FORMAT, "files": hashes})
    with (
        atomic_write(path, force=force) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, data in (*members.items(), (MANIFEST, manifest)):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)
    return file_hash(path)[1]


def read_bundle(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Members]:
    """Return the manifest and all members; FileError if the file is no bundle or too large."""
    try:
        with zipfile.ZipFile(regular_file(path)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_MEMBERS:
                raise FileError(f"{path}: {len(entries)} members, more than a bundle has")
            members = {entry.filename: _member(archive, entry, path) for entry in entries}
        if MANIFEST not in members:
            raise ValueError(f"it has no {MANIFEST}")
        manifest = read_json(members.pop(MANIFEST))
        known = isinstance(manifest, dict) and isinstance(manifest.get("files"), dict)
        if not known or not isinstance(manifest.get("format"), int):
            raise ValueError("the manifest lists no files")
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise FileError(f"{path}: not a bundle of evidence: {one_line(error)}") from error
    if manifest["format"] > FORMAT:
        raise FileError(f"{path}: written by a newer tabseed; update this one")
    return manifest, members


def _member(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str | os.PathLike[str]
) -> bytes:
    with archive.open(entry) as file:
        data = file.read(MAX_BYTES + 1)  # what an entry says of its size may be wrong
    if len(data) > MAX_BYTES:
        raise FileError(f"{path}: {one_line(entry.filename)} is larger than a bundle's files are")
    return data


def changed_members(manifest: dict[str, Any], members: Members) -> dict[str, str]:
    """Return what is wrong, by member: "changed", "missing" or "not in the manifest"."""
    listed = manifest["files"]
    wrong = {
        name: "changed" if name in members else "missing"
        for name, entry in listed.items()
        if name not in members
        or not isinstance(entry, dict)
        or sha256(members[name]) != entry.get("sha256")
    }
    return wrong | {name: "not in the manifest" for name in members if name not in listed}


def name_of(path: str | os.PathLike[str]) -> str:
    """Return the name of a file without its folder, which may name people and machines."""
    return Path(path).name
