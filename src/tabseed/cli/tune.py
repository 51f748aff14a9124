"""The command ``tabseed tune``."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed.cli.console import Output, emit, guarded, progress_bar
from tabseed.cli.learning import make_generator, make_scorer
from tabseed.cli.options import (
    FILE,
    AsJson,
    Data,
    Encoding,
    Force,
    Kinds,
    N,
    SchemaFile,
    Seed,
    Source,
    Sql,
    Target,
)
from tabseed.cli.streams import Use, stream_for
from tabseed.errors import FileError, SchemaError, TabseedError, printable
from tabseed.estimates.words import number
from tabseed.generators import GENERATORS
from tabseed.hardness import SCORERS

if TYPE_CHECKING:
    import numpy as np

    from tabseed.table import Table
    from tabseed.tune import Study, Trial, Verdict

PURPOSES = {
    "augment": "Aim: what a model gains by rows like the hardest.",
    "synth": "Aim: rows like those held back, by Jensen-Shannon divergence.",
}
UNITS = {"augment": "gain in the model's score", "synth": "JS times -1, bits"}  # of values
FAMILIES = ("trees", "arf", "copula", "smote")  # if none is named: none needs PyTorch
TRIALS = 20  # if neither trials nor minutes are given
SET_ASIDE, FOLDS, SEARCH, TEST = range(4)  # streams below that of this command


@guarded
def tune(
    data: Data,
    study: Annotated[
        str,
        typer.Option(
            "--study",
            metavar=FILE,
            help="Keep trials in this SQLite file; the same command goes on, several may at once.",
        ),
    ],
    target: Target = None,
    purpose: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="PURPOSE",
            help="augment: gain of a model by rows like the hardest; synth: likeness of rows.",
        ),
    ] = "augment",
    generator: Annotated[
        list[str] | None,
        typer.Option(
            "--generator",
            metavar="NAME",
            help=f"Of {', '.join(GENERATORS)}; may be repeated, the first is what the choice is "
            f"compared with. If not given: {', '.join(FAMILIES)}.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            min=1,
            metavar=N,
            help=f"Of the study in all ({TRIALS}, if no --minutes are given).",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="X", help="Begin no trial after these.")
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=1, metavar=N, help="Draws that a trial is the mean of.")
    ] = 3,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, metavar=N, help="Trials at once; 1 can be repeated.")
    ] = 1,
    hardest: Annotated[
        float | None,
        typer.Option(
            "--hardest", metavar="SHARE", help="Of the rows, to learn from; for augment (0.1)."
        ),
    ] = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Keep the hardest share of each class.")
    ] = False,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help=f"How to score, for augment (knn-shapley): {', '.join(SCORERS)}.",
        ),
    ] = None,
    test_share: Annotated[
        float,
        typer.Option(
            "--test-share",
            metavar="SHARE",
            help="Of the rows, set aside to compare the choice with the default; 0 leaves it out.",
        ),
    ] = 0.2,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar=FILE, help="Write an HTML page with every trial."),
    ] = None,
    schema: SchemaFile = None,
    kind: Kinds = None,
    sql: Sql = None,
    encoding: Encoding = "utf-8",
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Choose a generator and its settings by trials."""
    from tabseed._random import child
    from tabseed.table.files import check_outputs, check_writable
    from tabseed.tune import Tuner, TuningReport

    file = None if "://" in study else Path(study)
    check_outputs([], [report], [data, schema, file], force)
    if file is not None:
        check_writable(file, force=True)
    _check_budget(minutes, test_share)
    generators = _generators(generator or list(FAMILIES))
    aim = _Aim.of(purpose, target, (hardest, method, per_class), test_share, draws)
    table = Source(data, schema, kind, sql, encoding).read()
    stream = stream_for(Use.TUNE, seed)
    tuner = Tuner(generators, storage=study, random_state=child(stream, SEARCH))
    out = Output(as_json, {"for": purpose, "target": target, "study": study})
    out.say("read", f"{data}: {len(table)} rows, {len(table.schema)} columns")
    about = {"table": _fingerprint(table), **aim.about}
    if file is None or file.exists():  # refuse another study before any work
        out.say("study", f"{study}: {len(tuner.begin(about).trials)} trials already")
    judging = aim.prepared(table, generators, stream)
    out.say("rows", f"{judging.n_train} to learn from, {judging.n_test} set aside")
    budget = TRIALS if trials is None and minutes is None else trials
    with _kept(study), progress_bar() as progress:
        found = tuner.run(
            judging.objective,
            trials=budget,
            minutes=minutes,
            n_jobs=jobs,
            about=about,
            progress=progress,
        )
    ended = _Ended(found, generators, aim)
    ended.say(out)
    test = ended.judged(out, judging)
    shown = {"data": str(data), "seed": str(seed), **{k: str(v) for k, v in about.items()}}
    answer = TuningReport(found, PURPOSES[purpose], UNITS[purpose], ended.python, test, shown)
    out.result |= {"verdict": answer.verdict, "notes": list(answer.notes)}
    if report is not None:
        out.report(answer, report, force)
    out.finish("tune")


def _check_budget(minutes: float | None, test_share: float) -> None:
    if minutes is not None and not minutes > 0:
        raise TabseedError(f"--minutes {minutes:g}: must be more than 0")
    if not 0 <= test_share < 1:
        raise TabseedError(f"--test-share {test_share:g}: must lie between 0 and 1")


def _generators(names: list[str]) -> dict[str, Any]:
    if len(set(names)) < len(names):
        raise FileError(f"--generator: {', '.join(names)}: name each once")
    made = {name: make_generator(name, {}, "none", 0) for name in names}
    return {name: m.set_params(random_state=None) for name, m in made.items()}


def _fingerprint(table: Table) -> str:
    """Name what is modelled of a table: kinds, levels and values."""
    digest = hashlib.sha256()
    for c in table.schema.modelled:
        digest.update(repr((c.name, c.kind, c.categories)).encode())
        digest.update(table.cells(c.name).tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def _kept(study: str) -> Iterator[None]:
    """Say, where trials are interrupted, that nothing of them is lost."""
    try:
        yield
    except KeyboardInterrupt:
        emit(printable(f"{study} keeps the trials; the same command goes on"), sys.stderr)
        raise


# --- what is aimed at ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Judging:
    """The objective, how contenders are judged by the rows set aside, and numbers of rows."""

    objective: Any
    judge: Callable[[dict[str, Any]], Verdict] | None
    n_train: int
    n_test: int


@dataclass(frozen=True)
class _Aim:
    """What the settings are chosen for, with what is fixed."""

    purpose: str
    target: str | None
    hardest: float
    method: str
    per_class: bool
    test_share: float
    draws: int

    @classmethod
    def of(
        cls,
        purpose: str,
        target: str | None,
        hard: tuple[float | None, str | None, bool],
        test_share: float,
        draws: int,
    ) -> _Aim:
        """Refuse what does not go together."""
        if purpose not in PURPOSES:
            raise TabseedError(f"--for {purpose!r}: there are {', '.join(PURPOSES)}")
        hardest, method, per_class = hard
        if purpose == "augment" and target is None:
            raise TabseedError("--for augment needs --target, the column that the model predicts")
        given = {"--hardest": hardest, "--method": method, "--per-class": per_class or None}
        for name, value in given.items():
            if purpose != "augment" and value is not None:
                raise TabseedError(f"{name} is for --for augment; leave it out")
        share = 0.1 if hardest is None else hardest
        return cls(purpose, target, share, method or "knn-shapley", per_class, test_share, draws)

    @property
    def about(self) -> dict[str, Any]:
        """What a study must share to be gone on with, by the name that errors say."""
        named = {"--for": self.purpose, "--target": self.target, "--test-share": self.test_share}
        named["--draws"] = self.draws
        if self.purpose == "augment":
            named |= {"--hardest": self.hardest, "--method": self.method}
            named["--per-class"] = self.per_class
        return named

    def prepared(
        self, table: Table, generators: dict[str, Any], stream: np.random.SeedSequence
    ) -> _Judging:
        """Set test rows aside and prepare the folds of the others."""
        made = self._gain if self.purpose == "augment" else self._likeness
        return made(table, generators, stream)

    def augmenter(self, generator: Any, table: Table) -> Any:
        """Make the augmenter of the table's task around a generator."""
        from tabseed.augment.augmenter import TargetedAugmenter, TargetedRegressionAugmenter
        from tabseed.coding.labels import task_of

        scorer = None if self.hardest == 1 else make_scorer(self.method, {})
        numeric = task_of(table.schema, str(self.target)) == "regression"
        made: Any = TargetedRegressionAugmenter if numeric else TargetedAugmenter
        return made(generator, scorer, hardest=self.hardest, per_class=self.per_class)

    def _gain(
        self, table: Table, generators: dict[str, Any], stream: np.random.SeedSequence
    ) -> _Judging:
        import numpy as np

        from tabseed._random import child
        from tabseed.augment.arms import held_out
        from tabseed.augment.rows import Rows
        from tabseed.coding.labels import features_and_labels
        from tabseed.tune import AugmentationGain, gain_verdict

        augmenter = self.augmenter(next(iter(generators.values())), table)
        rows = Rows.of(*features_and_labels(table, str(self.target)), augmenter.task)
        held = np.zeros(len(rows), dtype=bool)
        if self.test_share:
            held = held_out(rows, self.test_share, child(stream, SET_ASIDE))
        train, test = (rows.take(np.flatnonzero(part)) for part in (~held, held))
        objective = AugmentationGain.on(
            train, augmenter, generators, draws=self.draws, random_state=child(stream, FOLDS)
        )

        def judge(contenders: dict[str, Any]) -> Verdict:
            return gain_verdict(
                train, test, augmenter, contenders, random_state=child(stream, TEST)
            )

        return _Judging(objective, judge if self.test_share else None, len(train), len(test))

    def _likeness(
        self, table: Table, generators: dict[str, Any], stream: np.random.SeedSequence
    ) -> _Judging:
        from tabseed._random import child
        from tabseed.metrics import DiscriminatorDivergence
        from tabseed.table.schema import DISCRETE
        from tabseed.tune import Fidelity, likeness_verdict

        table = table.select(table.schema.modelled)
        if not len(table.schema):
            raise SchemaError("every column is an id or free text; set kinds with --kind")
        known = self.target is not None and table.schema[self.target].kind in DISCRETE
        train, test = table, table.take([])
        if self.test_share:
            train, test = table.split(
                1 - self.test_share,
                stratify=self.target if known else None,
                random_state=child(stream, SET_ASIDE),
            )
            need = DiscriminatorDivergence.min_rows
            if len(test) < need:
                raise TabseedError(
                    f"--test-share {self.test_share:g}: {len(test)} rows are too few to judge by; "
                    f"{need} are needed, 0 leaves it out"
                )
        objective = Fidelity.on(
            train,
            generators,
            target=self.target,
            draws=self.draws,
            random_state=child(stream, FOLDS),
        )

        def judge(contenders: dict[str, Any]) -> Verdict:
            return likeness_verdict(
                train, test, contenders, target=self.target, random_state=child(stream, TEST)
            )

        return _Judging(objective, judge if self.test_share else None, len(train), len(test))


# --- what came of it ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Ended:
    """A study that ended, and what may be said of it."""

    study: Study
    generators: dict[str, Any]
    aim: _Aim

    @property
    def default(self) -> str:
        """The family whose own settings the choice is compared with."""
        return next(iter(self.generators))

    def generator(self, trial: Trial) -> Any:
        """Make the generator of a trial."""
        from sklearn.base import clone

        return clone(self.generators[trial.family]).set_params(**trial.settings)

    @property
    def python(self) -> str:
        """Python that makes what was chosen."""
        made = self.generator(self.study.best)
        if self.aim.purpose == "synth":
            return pasted(made.set_params(random_state=0))
        from tabseed.augment.augmenter import TargetedAugmenter
        from tabseed.hardness import scorer_class

        scorer = None if self.aim.hardest == 1 else scorer_class(self.aim.method)()
        share, each = self.aim.hardest, self.aim.per_class
        return pasted(TargetedAugmenter(made, scorer, share, per_class=each, random_state=0))

    def say(self, out: Output) -> None:
        """Print the best trial of each family and what was chosen; keep all for JSON."""
        chosen = {"python": self.python}  # raises where no trial has a value
        study = self.study.to_dict()
        out.result["trials"] = study["trials"]
        out.result["chosen"] = {**study["chosen"], **chosen}
        out.rows(("generator", "trials", "best value", "settings"), list(self._families()))
        out.say("chosen", self.study.verdict.removeprefix("Chosen: "))
        out.say("", self.python)

    def _families(self) -> Iterator[list[str]]:
        rows = self.study.rows()
        for family in self.generators:
            own = [row for row in rows if row["generator"] == family]
            done = [row for row in own if row["value"] is not None]
            if not done:
                yield [family, str(len(own)), "", own[-1]["message"] if own else ""]
                continue
            top = max(done, key=lambda row: row["estimate"])
            value = number(top["value"], "+.4f")
            yield [family, str(len(own)), value, top["settings"] or "none"]

    def judged(self, out: Output, judging: _Judging) -> Verdict | None:
        """Compare the choice with the default one on the rows set aside."""
        if judging.judge is None:
            out.say("test", "none: --test-share 0, so nothing says how good the choice is")
            return None
        from sklearn.base import clone

        from tabseed.tune.verdict import CHOSEN

        best = self.generator(self.study.best)
        contenders = {CHOSEN: best}
        default = clone(self.generators[self.default])
        if pasted(default) == pasted(best):
            out.say("note", f"{self.default} with its own settings was chosen")
        else:
            contenders[f"{self.default}, its own settings"] = default
        test = judging.judge(contenders)
        out.result["test"] = test.to_dict()
        out.say("test", test.verdict)
        return test


def pasted(made: Any) -> str:
    """Give Python that makes an estimator of this package: what differs from its defaults."""
    if not hasattr(made, "get_params"):
        return repr(made)
    given = [
        f"{name}={pasted(getattr(made, name))}"
        for name, parameter in inspect.signature(type(made)).parameters.items()
        if getattr(made, name) != parameter.default
    ]
    return f"ts.{type(made).__name__}({', '.join(given)})"
