"""Store a study in two tables of SQLite, or of any database that SQLAlchemy reaches.

Several workers may share a study. Every change is one SQL statement, so it happens in full or not
at all, and no worker waits while another computes a proposal. A worker claims a trial by inserting
its number: if two workers insert the same number, the primary key accepts one, and the other looks
again. A worker signs every BEAT seconds that it is alive; if it stops, another one takes over its
trial, with the same settings.
"""

from __future__ import annotations

import json
import operator
import os
import socket
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from tabseed.errors import FileError, MissingDependencyError, not_installed, printable
from tabseed.parameters import shown
from tabseed.table.files import regular_file

BEAT, SILENCE = 15.0, 240.0  # seconds between signs of life; without one until a worker is gone
BUSY = 60.0  # seconds that a statement waits for another
RUNNING, DONE, FAILED = "running", "done", "failed"

_TABLES = (
    """CREATE TABLE IF NOT EXISTS tabseed_studies (
        name VARCHAR(200) PRIMARY KEY, definition TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS tabseed_trials (
        study VARCHAR(200) NOT NULL, number INTEGER NOT NULL, family TEXT NOT NULL,
        settings TEXT NOT NULL, state VARCHAR(10) NOT NULL, draws TEXT NOT NULL,
        message TEXT NOT NULL, seconds DOUBLE PRECISION, worker VARCHAR(200) NOT NULL,
        heartbeat DOUBLE PRECISION NOT NULL, PRIMARY KEY (study, number))""",
)
_COLUMNS = "number, family, settings, state, draws, message, seconds, worker, heartbeat"


class _Taken(Exception):
    """A row with that key exists already."""


@dataclass(frozen=True)
class Row:
    """A trial as it is stored."""

    number: int
    family: str
    settings: dict[str, Any]
    state: str
    draws: tuple[float, ...]
    message: str
    seconds: float | None
    worker: str
    heartbeat: float

    @property
    def abandoned(self) -> bool:
        """Whether it is marked as running, but its worker is gone."""
        if self.state != RUNNING:
            return False
        return time.time() - self.heartbeat > SILENCE or _dead(self.worker)


class Storage:
    """One study, ``name``, in the SQLite file or at the SQLAlchemy URL ``where``."""

    def __init__(self, where: str | os.PathLike[str], name: str) -> None:
        self.where, self.name = os.fspath(where), name

    def begin(self, definition: str) -> str:
        """Store the definition of the study unless one is stored; return the stored one."""
        if "://" not in self.where and os.path.lexists(self.where):
            regular_file(self.where)
        for statement in _TABLES:
            try:
                self._execute(statement)
            except _Taken:  # PostgreSQL, if two workers create the tables at once
                self._execute(statement)
        try:
            self._execute(
                "INSERT INTO tabseed_studies (name, definition) VALUES (:study, :definition)",
                definition=definition,
            )
            return definition
        except _Taken:
            return self.definition()

    def definition(self) -> str:
        """Return the definition of the study; FileError if there is no study of that name."""
        if "://" not in self.where:
            regular_file(self.where)
        rows, _ = self._execute("SELECT definition FROM tabseed_studies WHERE name = :study")
        if not rows:
            raise FileError(f"{self}: contains no study named {self.name!r}")
        return str(rows[0][0])

    def trials(self) -> list[Row]:
        """Return all trials in order of their numbers."""
        statement = f"SELECT {_COLUMNS} FROM tabseed_trials WHERE study = :study ORDER BY number"
        rows, _ = self._execute(statement)
        return [self._row(*row) for row in rows]

    def _row(self, number: Any, family: Any, settings: Any, state: Any, *rest: Any) -> Row:
        """Return a trial; FileError for one that no worker wrote."""
        draws, message, seconds, worker, beat = rest
        try:
            plain, values = json.loads(settings), json.loads(draws)
            sound = isinstance(plain, dict) and state in (RUNNING, DONE, FAILED)
            values = tuple(float(value) for value in values)
            seconds = None if seconds is None else float(seconds)
            row = Row(
                operator.index(number),
                str(family),
                plain,
                state,
                values,
                str(message),
                seconds,
                str(worker),
                float(beat),
            )
        except (TypeError, ValueError, RecursionError) as error:
            raise FileError(
                f"{self}: trial {shown(number)} is not sound: {printable(error)}"
            ) from error
        if not sound:
            raise FileError(f"{self}: trial {row.number} is not sound")
        return row

    def claim(self, number: int, family: str, settings: Mapping[str, Any], worker: str) -> bool:
        """Begin the trial of that number; return False if another worker has it."""
        try:
            self._execute(
                f"INSERT INTO tabseed_trials (study, {_COLUMNS}) VALUES (:study, :number, :family,"
                " :settings, 'running', '[]', '', NULL, :worker, :now)",
                number=number,
                family=family,
                settings=json.dumps(settings),
                worker=worker,
                now=time.time(),
            )
        except _Taken:
            return False
        return True

    def take_over(self, row: Row, worker: str) -> bool:
        """Restart a trial whose worker is gone; return False if another worker did."""
        _, changed = self._execute(
            "UPDATE tabseed_trials SET worker = :worker, heartbeat = :now WHERE study = :study"
            " AND number = :number AND worker = :former AND state = 'running'",
            number=row.number,
            worker=worker,
            former=row.worker,
            now=time.time(),
        )
        return changed == 1

    def finish(
        self, number: int, worker: str, draws: tuple[float, ...], message: str, seconds: float
    ) -> None:
        """Store the result of a trial if it is still this worker's; without draws it failed."""
        self._execute(
            "UPDATE tabseed_trials SET state = :state, draws = :draws, message = :message,"
            " seconds = :seconds WHERE study = :study AND number = :number AND worker = :worker",
            number=number,
            worker=worker,
            state=DONE if draws else FAILED,
            draws=json.dumps(draws),
            message=message,
            seconds=seconds,
        )

    def _beat(self, number: int, worker: str, heartbeat: float) -> None:
        self._execute(
            "UPDATE tabseed_trials SET heartbeat = :heartbeat WHERE study = :study"
            " AND number = :number AND worker = :worker",
            number=number,
            worker=worker,
            heartbeat=heartbeat,
        )

    @contextmanager
    def alive(self, number: int, worker: str) -> Iterator[None]:
        """Sign that the worker is alive while the body runs; if interrupted, release the trial."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT):
                try:
                    self._beat(number, worker, time.time())
                except FileError:  # the next sign of life, or the result itself, may get through
                    continue

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            over.set()
            thread.join()
            self._beat(number, worker, 0.0)
            raise
        finally:
            over.set()
            thread.join()

    def _execute(self, statement: str, **values: Any) -> tuple[list[Any], int]:
        """Run one statement as a transaction; return its rows and the number of changed rows."""
        values["study"] = self.name
        if "://" in self.where:
            return self._through_sqlalchemy(statement, values)
        try:
            with closing(
                sqlite3.connect(self.where, timeout=BUSY, isolation_level=None)
            ) as connection:
                cursor = connection.execute(statement, values)
                return cursor.fetchall(), cursor.rowcount
        except sqlite3.IntegrityError as error:
            raise _Taken from error
        except sqlite3.Error as error:
            raise FileError(f"{self}: {printable(error)}") from error

    def _through_sqlalchemy(self, statement: str, values: dict[str, Any]) -> tuple[list[Any], int]:
        engine = _engine(self.where)
        from sqlalchemy import exc, text

        try:
            with engine.begin() as connection:
                result = connection.execute(text(statement), values)
                return (list(result) if result.returns_rows else []), result.rowcount
        except exc.IntegrityError as error:
            raise _Taken from error
        except exc.SQLAlchemyError as error:
            reason = printable(getattr(error, "orig", None) or error)
            raise FileError(f"{self}: {reason}") from error

    def __str__(self) -> str:
        """Return the path, or the URL without its password."""
        if "://" not in self.where:
            return printable(self.where)
        return printable(_engine(self.where).url.render_as_string(hide_password=True))


@cache
def _engine(url: str) -> Any:
    """Return the engine of a URL; it keeps no connection open, because workers come and go."""
    try:
        from sqlalchemy import create_engine, exc
        from sqlalchemy.pool import NullPool
    except ImportError as error:
        raise not_installed(
            "a study at a URL", "SQLAlchemy", "sqlalchemy", instead="name a file"
        ) from error
    kind = url.partition("://")[0]
    try:
        waits = {"timeout": BUSY} if kind.startswith("sqlite") else {}
        return create_engine(url, poolclass=NullPool, connect_args=waits)
    except ImportError as error:
        raise MissingDependencyError(f"{kind} needs a driver that is missing: {error}") from error
    except (exc.ArgumentError, ValueError):  # which may quote the password
        raise FileError(f"{printable(kind)}://...: SQLAlchemy cannot read this URL") from None


def worker_name() -> str:
    """Return a name for this worker: its host and process, so that others can see if it runs."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _dead(worker: str) -> bool:
    """Whether the worker's process ran on this machine and has ended."""
    host, pid, _ = worker.rsplit(":", 2)
    if host != socket.gethostname() or os.name != "posix":
        return False
    try:
        os.kill(int(pid), 0)  # signal 0 only checks
    except ProcessLookupError:
        return True
    except OSError:  # it belongs to another user
        pass
    return False
