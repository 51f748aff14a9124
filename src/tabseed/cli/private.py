"""``tabseed synth --epsilon``: rows with a guarantee of differential privacy.

What it prints is for the holder of the table; what may be passed on is the rows and the model.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tabseed.cli.console import Output
from tabseed.cli.learning import draw, save_model, write
from tabseed.cli.options import FILE, Source
from tabseed.cli.progress import progress_bar
from tabseed.cli.streams import Use, stream_for
from tabseed.cli.wanted import Wanted
from tabseed.errors import FileError

if TYPE_CHECKING:
    from tabseed.generators.private.marginals import PrivateMarginals

Epsilon = Annotated[
    float | None,
    typer.Option(
        "--epsilon",
        metavar="E",
        help="Differentially private rows, for adding or removing one row, by OpenDP's AIM or MST; "
        "needs --public-schema and pip install 'tabseed[private]'.",
    ),
]
Delta = Annotated[
    float | None,
    typer.Option(
        "--delta",
        metavar="D",
        help="With --epsilon: the probability that its guarantee may fail, well below one in the "
        "number of rows (1e-6 if not given).",
    ),
]
DpMethod = Annotated[
    str | None,
    typer.Option("--dp-method", metavar="NAME", help="With --epsilon: aim (if not given) or mst."),
]
PublicSchema = Annotated[
    Path | None,
    typer.Option(
        "--public-schema",
        metavar=FILE,
        help="With --epsilon: kinds, all levels and ranges that you declare public, known without "
        "these rows; info --save-schema writes a file to edit.",
    ),
]
Anyway = Annotated[
    bool,
    typer.Option("--anyway", help="With --epsilon: go on even if the rows are likely noise."),
]

WHY = {
    "report": "it would show figures of the real rows that no budget pays for; run tabseed "
    "evaluate, and keep its page to yourself",
    "holdout": "no report is written; run tabseed evaluate",
    "holdout-share": "no report is written; run tabseed evaluate",
    "schema": "write --public-schema for a schema that you declare public",
    "kind": "kinds are those of --public-schema",
    "target": "the law does not depend on it",
}


@dataclass(frozen=True)
class Guarantee:
    """The options of a private run."""

    epsilon: float | None
    delta: float | None
    method: str | None
    public_schema: Path | None
    anyway: bool
    seed: int

    def asked(self, other: Mapping[str, Any]) -> bool:
        """Return whether a guarantee is asked for; FileError for options that do not fit that.

        ``other``: the options of runs without one, by name.
        """
        own = {"delta": self.delta, "dp-method": self.method, "public-schema": self.public_schema}
        own |= {"anyway": self.anyway or None}
        if self.epsilon is None:
            for name, value in own.items():
                if value is not None:
                    raise FileError(f"--{name} goes with --epsilon; leave it out, or give that too")
            return False
        for name, value in other.items():
            if value:
                why = WHY.get(name, "OpenDP's AIM and MST have no such option")
                raise FileError(f"--{name} does not go with --epsilon: {why}")
        return True

    def maker(self) -> PrivateMarginals:
        """Return the generator; one line for what is not allowed, declared or installed."""
        from tabseed.generators.private.budget import opendp
        from tabseed.generators.private.marginals import PrivateMarginals
        from tabseed.parameters import check_parameters
        from tabseed.table.files import read_schema

        maker = PrivateMarginals(anyway=self.anyway, random_state=self.seed)
        given = {"epsilon": self.epsilon, "delta": self.delta, "method": self.method}
        maker.set_params(**{name: value for name, value in given.items() if value is not None})
        if self.public_schema is not None:
            maker.set_params(public=read_schema(self.public_schema))
        check_parameters(maker)
        maker.check_public()
        opendp()
        return maker

    def release(
        self,
        out: Output,
        source: Source,
        rows: int | None,
        how: Mapping[str, bool],
        files: tuple[Path, Path | None],
    ) -> None:
        """Spend the budget, draw as many rows as the noisy number says, write rows and model.

        ``how``: force, for_spreadsheet, plain; ``files``: of the rows, and of the model if kept.
        """
        maker, start = self.maker(), time.perf_counter()
        with progress_bar("learning") as progress:
            maker.fit(source.read(), progress=progress)
        summary = list(maker.summary())
        out.result |= {
            "generator": type(maker).__name__,
            "rows_learned": maker.n_rows_,
            "columns": list(maker.schema_.names),
            "learned": summary,
            "seconds_to_learn": round(time.perf_counter() - start, 3),
        }
        for line in summary:
            out.say("private" if line == summary[0] else "", line)
        n = rows or max(1, maker.n_rows_)
        synthetic = draw(out, maker, Wanted(n), stream_for(Use.SYNTH, self.seed))
        write(out, synthetic, files[0], **how)
        save_model(out, maker, files[1], how["force"])
        out.say("note", "no seed reaches the noise: the same command gives other rows")
        out.say("note", "pass on the rows and the model; each run on these rows spends its epsilon")
        out.finish("synth")
