"""Fill README.md with the results: means over draws with 95 % t intervals."""

from __future__ import annotations

from benchmarks.generators.tables import HERE, RESULTS, TARGETS
from experiments.common.markdown import fill, table
from experiments.common.results import read, shown

README = HERE / "README.md"
COLUMNS = {
    "coarse": "coarse JS",
    "plain": "plain JS",
    "score": "score",
    "closeness": "closeness",
    "copies": "copies",
    "fit_cpu": "fit, CPU s",
    "sample_cpu": "draw, CPU s",
    "peak_mib": "peak MiB",
}
COSTS = ("fit_cpu", "sample_cpu", "peak_mib")  # shown without an interval
SCORES = {"king": "R2", "penguins": "accuracy"}


def _cell(rows: list[dict[str, str]], column: str) -> str:
    values = [float(r[column]) for r in rows if r[column] != ""]
    if not values:
        return ""
    if column in COSTS:
        mean = sum(values) / len(values)
        return f"{mean:.0f}" if mean >= 100 else f"{mean:.2g}"
    return shown(values)


def _order(rows: list[dict[str, str]]) -> float:
    """Return the sort key: real rows first, then by coarse JS, failures last."""
    js = [float(r["coarse"]) for r in rows if r["coarse"] != ""]
    if rows[0]["generator"].startswith("real:"):
        return -1.0
    return sum(js) / len(js) if js else 2.0


def section(name: str, n: str, rows: list[dict[str, str]]) -> str:
    """Return one table of the README: all generators on one table at one number of rows."""
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row["generator"], []).append(row)
    lines = []
    for generator, results in sorted(groups.items(), key=lambda item: _order(item[1])):
        errors = [r["error"] for r in results if r["error"]]
        note = f"failed in {len(errors)} of {len(results)}: {errors[0][:90]}" if errors else ""
        cells = [_cell(results, column) for column in COLUMNS]
        draws = len({r["draw"] for r in results})
        lines.append([generator, str(draws), *cells, note.replace("|", "/")])
    heads = [h if h != "score" else SCORES.get(name, "AUC") for h in COLUMNS.values()]
    return f"### {name}, N = {n}\n\n" + table(["generator", "draws", *heads, ""], lines)


def write() -> None:
    """Write a section for each table and number of rows between the marks of README.md."""
    rows = read(RESULTS)
    sections = []
    for name in TARGETS:
        sizes = {r["n"] for r in rows if r["table"] == name}
        for n in sorted(sizes, key=int):
            results = [r for r in rows if (r["table"], r["n"]) == (name, n)]
            sections.append(section(name, n, results))
    fill(README, {"RESULTS": "\n" + "\n\n".join(sections) + "\n"})
