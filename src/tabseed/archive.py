"""Model files and checkpoints: one zip of JSON documents and ``weights.safetensors``. No pickle.

A file may come from a stranger: only known member names are read, sizes are bounded before and
while unpacking, JSON and safetensors are parsed by their own readers, and nothing is executed.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
import os
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from sklearn.base import BaseEstimator

from tabseed.errors import FileError, one_line
from tabseed.table.files import atomic_write, read_json, regular_file

MAX_WEIGHT_BYTES = 2**29
MAX_DOCUMENT_BYTES = 2**24
MAX_DIMENSIONS = 8
MOST = 1e151  # of an array's numbers: beyond those that a table may hold
SINGLE = 1e30  # of numbers that are calculated with in 32 bits
_BYTES = {"F64": 8, "F32": 4, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
WEIGHTS = "weights.safetensors"
FORMAT = 1  # raised when older programs can no longer read the files
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same content gives the same bytes

Documents = dict[str, Any]
Arrays = dict[str, np.ndarray]

OF_COLUMNS = "each column's categories, range, quantiles and frequent or outlying values"
"""What every model file holds of the columns, in the words of :class:`Holds`."""


@dataclass(frozen=True)
class Holds:
    """What a model file holds of the rows that a generator learned: declared by its class.

    ``rows``: whether each of them can be read from it, exactly or coarsened. ``text``: what it
    holds, to follow "every training row, " or "no training row, but ".
    """

    rows: bool
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return asdict(self)

    def __str__(self) -> str:
        if self.rows:
            return (
                f"a model file holds every training row, {self.text}: it does not protect "
                "privacy; keep it as you keep the rows"
            )
        return f"a model file holds no training row, but {self.text}"


UNDECLARED = Holds(True, "or may: its class does not say")


def write_archive(
    path: str | os.PathLike[str], documents: Documents, arrays: Arrays, *, force: bool = False
) -> None:
    """Write the whole file or nothing; the same content gives the same bytes."""
    members = {f"{name}.json": _json(value) for name, value in documents.items()}
    plain = {name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())}
    for name, data in members.items():
        if len(data) > MAX_DOCUMENT_BYTES:
            raise FileError(f"{path}: {name} would have {len(data) >> 20} MiB, too many to be read")
    if sum(value.nbytes for value in plain.values()) > MAX_WEIGHT_BYTES - MAX_DOCUMENT_BYTES:
        raise FileError(
            f"{path}: the model would have more than {MAX_WEIGHT_BYTES >> 20} MiB; "
            "fit it to fewer rows or columns"
        )
    members[WEIGHTS] = safetensors.numpy.save(plain)
    with (
        atomic_write(path, force=force) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1).encode()


def read_archive(path: str | os.PathLike[str], names: tuple[str, ...]) -> tuple[Documents, Arrays]:
    """Return the documents ``names`` and all arrays; an unsound file raises FileError."""
    path = regular_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            documents = {
                name: read_json(_member(archive, f"{name}.json", MAX_DOCUMENT_BYTES, path))
                for name in names
            }
            _check_header(archive, path)
            arrays = safetensors.numpy.load(_member(archive, WEIGHTS, MAX_WEIGHT_BYTES, path))
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (
        zipfile.BadZipFile,
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
        EOFError,
        safetensors.SafetensorError,
        zipfile.zlib.error,  # type: ignore[attr-defined]
    ) as error:
        raise FileError(f"{path}: not a sound file of tabseed: {one_line(error)}") from error
    return documents, arrays


def is_model_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a file has the members of a model file, whatever its name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {WEIGHTS, "config.json", "schema.json"} <= set(archive.namelist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return False


def under(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays whose names begin with ``prefix``, the prefix removed."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def stored(
    arrays: Arrays,
    name: str,
    kind: str,
    shape: tuple[int | None, ...],
    *,
    finite: bool = True,
    most: float = MOST,
) -> np.ndarray:
    """Return one array of a file; ValueError unless it is as expected, KeyError if there is none.

    ``kind`` is "f" for real numbers or "i" for whole ones; None in ``shape`` is any length.
    ``finite``: the real numbers are, and none is beyond ``most``.
    """
    value = arrays[name]
    fits = value.ndim == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, value.shape, strict=True)
    )
    if value.dtype.kind != kind or not fits:
        raise ValueError(f"{name} has the type {value.dtype} and the shape {value.shape}")
    if finite and kind == "f" and not float(np.abs(value).max(initial=0.0)) <= most:
        raise ValueError(f"{name} holds numbers that are not finite, or too large")
    return value


def _info(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    if name not in archive.namelist():
        raise ValueError(f"it has no {name}")
    return archive.getinfo(name)


def _member(archive: zipfile.ZipFile, name: str, limit: int, path: Path) -> bytes:
    """Unpack one member, unless it states or turns out to be larger than ``limit``."""
    info = _info(archive, name)
    with archive.open(info) as member:
        data = b"" if info.file_size > limit else member.read(limit + 1)
    if info.file_size > limit or len(data) > limit:
        raise FileError(f"{path}: {name} unpacks to more than {limit >> 20} MiB; refused")
    return data


def _check_header(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise ValueError unless the weights are as large as their header says: before unpacking."""
    info = _info(archive, WEIGHTS)
    with archive.open(info) as member:
        length = int.from_bytes(member.read(8), "little")
        if length > MAX_DOCUMENT_BYTES:
            raise FileError(f"{path}: {WEIGHTS} has a header of {length} bytes; refused")
        header = read_json(member.read(length))
    total = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _BYTES:
            raise ValueError(f"{name[:60]!r} has the type {str(entry['dtype'])[:20]!r}")
        sizes = [operator.index(size) for size in entry["shape"]]
        if len(sizes) > MAX_DIMENSIONS or min(sizes, default=0) < 0:
            raise ValueError(f"{name[:60]!r} has the shape {str(sizes)[:60]}")
        total += math.prod(sizes) * _BYTES[entry["dtype"]]
    if info.file_size != 8 + length + total:
        raise ValueError(
            f"{WEIGHTS} has {info.file_size} bytes, {8 + length + total} by its header"
        )


class Lasting:
    """The path of a checkpoint that outlives the training: whoever made this removes it.

    For work that goes on after the training. ``outputs`` are the files that the work has written,
    by absolute path, each with the SHA-256 of its content, or None from just before it is written:
    whoever resumes the work may write these again, and nothing else.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.outputs: dict[str, str | None] = {}
        if os.path.lexists(self.path):
            state = read_archive(self.path, ("checkpoint",))[0]["checkpoint"]
            told = state.get("outputs", {}) if isinstance(state, dict) else {}
            if isinstance(told, dict):
                self.outputs = {str(name): digest for name, digest in told.items()}

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def owned(self) -> frozenset[Path]:
        """Return the outputs that are on the disk as the work wrote them."""
        paths = {Path(name): digest for name, digest in self.outputs.items()}
        return frozenset(p for p, d in paths.items() if p.is_file() and d in (None, _digest(p)))

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """Note in the file that the work writes an output, and then what it wrote."""
        name = str(path.resolve())
        self._note(name, None)
        yield
        self._note(name, _digest(path))

    def _note(self, name: str, digest: str | None) -> None:
        self.outputs[name] = digest
        if self.path.is_file():
            documents, arrays = read_archive(self.path, ("checkpoint",))
            documents["checkpoint"] |= {"outputs": self.outputs}
            write_archive(self.path, documents, arrays, force=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checkpoint:
    """A file that a long training writes now and then, reads when it restarts, removes at its end.

    ``fingerprint`` identifies the data and settings; a file with another one is refused, not
    overwritten. A :class:`Lasting` path stays.
    """

    def __init__(
        self, path: str | os.PathLike[str], fingerprint: str, *, seconds: float = 5.0
    ) -> None:
        self.path, self.fingerprint, self.seconds = Path(path), fingerprint, seconds
        self.lasting = path if isinstance(path, Lasting) else None
        self._written = time.monotonic()

    def due(self) -> bool:
        """Return whether it is time to write."""
        return time.monotonic() - self._written >= self.seconds

    def write(self, state: dict[str, Any], arrays: Arrays) -> None:
        """Write the current state of the training."""
        outputs = {} if self.lasting is None else {"outputs": self.lasting.outputs}
        documents = {"checkpoint": {"fingerprint": self.fingerprint, **outputs, **state}}
        write_archive(self.path, documents, arrays, force=True)
        self._written = time.monotonic()

    def read(self) -> tuple[dict[str, Any], Arrays] | None:
        """Return what was written last, or None if there is no file."""
        if not os.path.lexists(self.path):
            return None
        documents, arrays = read_archive(self.path, ("checkpoint",))
        state = documents["checkpoint"]
        if not isinstance(state, dict) or state.get("fingerprint") != self.fingerprint:
            raise FileError(
                f"{self.path}: belongs to a training on other data or with other settings; "
                "name another file, or remove it"
            )
        return state, arrays

    def remove(self) -> None:
        """Remove the file, unless it outlives the training, which is complete."""
        if self.lasting is None:
            self.path.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """Return a parameter in the form that JSON stores."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, np.random.Generator | np.random.RandomState | np.random.SeedSequence):
        return None  # the file holds the stream itself
    if isinstance(value, BaseEstimator):
        return estimator_to_plain(value)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def estimator_to_plain(estimator: BaseEstimator) -> dict[str, Any]:
    """Return the class and parameters of an estimator in the form that JSON stores."""
    settings = estimator.get_params(deep=False).items()
    parameters = {k: _plain(v) for k, v in settings if k != "n_jobs"}  # which changes no number
    return {"class": type(estimator).__name__, "parameters": parameters}


def estimator_from_plain(plain: Any, homes: Iterable[tuple[str, str]]) -> Any:
    """Rebuild an estimator whose class is among ``homes`` (module, name), and those within it.

    An estimator of another class stays a dict; a caller that knows its class rebuilds it.
    """
    if isinstance(plain, list):
        return [estimator_from_plain(item, homes) for item in plain]
    modules = {name: module for module, name in homes}
    if not isinstance(plain, dict) or plain.get("class") not in modules:
        return plain
    cls = getattr(import_module(modules[plain["class"]]), plain["class"])
    parameters = {k: estimator_from_plain(v, homes) for k, v in plain["parameters"].items()}
    if hasattr(cls, "_parameters"):
        parameters = cls._parameters(parameters)
    return cls(**parameters)


def stream_to_plain(stream: np.random.SeedSequence) -> dict[str, Any]:
    """Return a random stream in the form that JSON stores."""
    entropy = stream.entropy
    whole = isinstance(entropy, int | np.integer)
    plain = int(entropy) if whole else [int(e) for e in entropy]  # type: ignore[arg-type,union-attr]
    return {"entropy": plain, "spawn_key": list(stream.spawn_key)}


def stream_from_plain(plain: dict[str, Any]) -> np.random.SeedSequence:
    """Rebuild the stream that :func:`stream_to_plain` describes."""
    return np.random.SeedSequence(plain["entropy"], spawn_key=tuple(plain["spawn_key"]))
