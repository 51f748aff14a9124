"""The documents of a bundle: what was made how, how it was judged, what is not known, a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabseed.evaluation.bins import Bins, cut
from tabseed.evaluation.evaluation import Evaluation
from tabseed.evidence.bundle import Members, as_json
from tabseed.evidence.markdown import bullets, escaped, table
from tabseed.pages import Finding, Row
from tabseed.table import Table
from tabseed.table.describe import number_text
from tabseed.table.schema import DISCRETE, NUMERIC

FILES = {  # each document of a bundle, and the question that it answers
    "README.md": "What is in this bundle?",
    "summary.md": "Are the rows alike, useful, and whose secrets do they tell?",
    "page.html": "The same with pictures and every number.",
    "evaluation.json": "The same for machines.",
    "likeness.md": "How far are the synthetic rows from real ones?",
    "usefulness.md": "What does learning from the synthetic rows cost?",
    "privacy.md": "What would an attacker gain?",
    "dictionary.md": "What are the columns, their kinds and values?",
    "schema.json": "The same for machines.",
    "provenance.json": "Which files, program, generator, settings and seeds?",
    "limits.md": "What does this evidence not show?",
    "sign-off.md": "Who decided what, when and for whom? (to be filled in)",
}
ALWAYS = (
    "Nothing here says that release is safe: it says what these attacks and measures show on these "
    "rows. Whoever releases the table decides, and knows who will have it.",
    "Attacks that were not run, and knowledge from other files, may tell more.",
    "Each further table drawn from the same rows tells more; what is released together counts "
    "together.",
    "Laws that the training rows show by chance are in the synthetic rows too. Conclusions about "
    "people need real rows.",
)
FORM = """# Sign-off

To be filled in by those who decide. An empty line is no approval.

| question | answer |
| --- | --- |
| Purpose of the release | |
| Who will have the rows, and under which terms | |
| May the rows be passed on or published | |
| Were the documents of this bundle read (names) | |
| Residual risk of identification (very low, low, other) and why | |
| Residual risk of disclosure of sensitive columns and why | |
| Known limits that matter for the purpose (limits.md) | |
| Other tables released from the same real rows | |
| Decision (release, release on conditions, no release) | |
| Conditions, and when to review | |
| Name, office, date, signature of the data owner | |
| Name, office, date, signature of the privacy officer | |
"""


@dataclass(frozen=True)
class Provenance:
    """Where everything comes from: JSON-ready.

    ``files``: by role (train, synthetic, holdout, model) the name, bytes, SHA-256 and rows of each
    input; ``options``: how they were read and judged; ``generator``: what the model file says of
    itself, None without one; ``versions``: the releases of the programs.
    """

    files: dict[str, dict[str, Any]]
    options: dict[str, Any]
    generator: dict[str, Any] | None
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as one document."""
        return {
            "files": self.files,
            "options": self.options,
            "generator": self.generator,
            "versions": self.versions,
        }


def dictionary(tables: Mapping[str, Table]) -> list[Row]:
    """Return a line for each column: kind, values, and missing cells in each table.

    Values are levels or ranges of at least 3 training rows; extreme values are not named.
    """
    real = next(iter(tables.values()))
    rows: list[Row] = []
    for column in real.schema:
        kept = column.kind in NUMERIC | DISCRETE
        values = ""
        if kept:
            bins = cut(list(tables.values()), column.name, most=8)
            values = ", ".join(bins.labels) if bins.ends is None else _range(bins, real)
            missing = [f"{100 * share:.1f} %" for share in bins.shares()[:, -1]]
        else:
            missing = [""] * len(tables)
        rows.append(
            {
                "column": column.name,
                "kind": column.kind if kept else f"{column.kind}, left out",
                "why": column.reason,
                "values": values,
                **{f"missing, {name}": m for name, m in zip(tables, missing, strict=True)},
            }
        )
    return rows


def _range(bins: Bins, table: Table) -> str:
    """Return the range of most numbers; its ends are no extreme values."""
    assert bins.ends is not None
    low, high = (number_text(float(end), table.schema[bins.name]) for end in bins.ends[[0, -1]])
    return f"{low} to {high}, few beyond"


def documents(
    evaluation: Evaluation, tables: Mapping[str, Table], provenance: Provenance
) -> Members:
    """Return all documents of a bundle, by name."""
    columns = dictionary(tables)
    texts = {
        "README.md": _readme(),
        "summary.md": _summary(evaluation, provenance),
        **{f"{name}.md": _part(name, evaluation) for name in evaluation.parts},
        "dictionary.md": "# Data dictionary\n\n"
        + table(list(columns[0]), [list(row.values()) for row in columns]),
        "limits.md": _limits(evaluation),
        "sign-off.md": FORM,
    }
    found = {name: (text.rstrip() + "\n").encode() for name, text in texts.items()}
    found["page.html"] = evaluation.to_html().encode()
    found["evaluation.json"] = as_json(evaluation.to_dict())
    found["schema.json"] = as_json(next(iter(tables.values())).schema.to_dict())
    found["provenance.json"] = as_json(provenance.to_dict())
    return {name: found[name] for name in FILES}


def _readme() -> str:
    lines = [[name, question] for name, question in FILES.items() if name != "README.md"]
    return (
        "# Evidence for the release of a synthetic table\n\n"
        + table(["file", "what it answers"], lines)
        + "\n\nThe bundle holds counts, shares and names of columns and levels, but no row of the "
        "training or held-out table. `manifest.json` has the SHA-256 of every file; `tabseed "
        "verify BUNDLE` checks them and, with the three tables at hand, computes all numbers again."
    )


def _summary(evaluation: Evaluation, provenance: Provenance) -> str:
    files = [
        [role, f["name"], f.get("rows", ""), f["bytes"], f["sha256"]]
        for role, f in provenance.files.items()
    ]
    parts = [
        f"## {escaped(question)}\n\n{escaped(evaluation.answers[question])}"
        for question in evaluation.answers
    ]
    versions = ", ".join(f"{name} {number}" for name, number in provenance.versions.items())
    return "\n\n".join(
        [
            "# Summary",
            *parts,
            "## What was judged",
            table(["table", "file", "rows", "bytes", "SHA-256"], files),
            f"Seed {escaped(provenance.options.get('seed'))}; {escaped(versions)}.",
        ]
    )


def _part(name: str, evaluation: Evaluation) -> str:
    answer = evaluation.parts[name]
    title = f"# {name.capitalize()}"
    if answer is None:
        return f"{title}\n\n{escaped(evaluation.missing[name])}"
    return "\n\n".join([title, escaped(answer.verdict), _table(answer), bullets(answer.notes)])


def _table(answer: Finding) -> str:
    return table([heading.title for heading in answer.headings], answer.cells())


def _limits(evaluation: Evaluation) -> str:
    missing = [f"No answer on {name}: {why}" for name, why in evaluation.missing.items()]
    return "# Limits\n\n" + bullets([*ALWAYS, *missing, *evaluation.notes])
