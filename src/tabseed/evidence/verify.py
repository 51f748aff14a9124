"""Verify a bundle: its hashes, the hashes of its inputs, and every number computed again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tabseed.pages import Finding, Heading, Row
from tabseed.table.display import counted

CHANGES_BY_NATURE = {"seconds", "versions", "python"}  # keys of what a second run may have else


@dataclass(frozen=True)
class Check:
    """One thing that was checked: ``ok`` is None if it could not be."""

    what: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, repr=False)
class Verification(Finding):
    """Whether a bundle is what it was when it was written, and whether its numbers come again."""

    title = "Verification of a bundle of evidence"

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing that could be checked is wrong."""
        return all(check.ok is not False for check in self.checks)

    @property
    def verdict(self) -> str:
        """What is wrong, or what could be checked."""
        wrong = [check for check in self.checks if check.ok is False]
        unchecked = [check for check in self.checks if check.ok is None]
        if wrong:
            return f"Not as it was: {'; '.join(f'{c.what}: {c.detail}' for c in wrong[:3])}" + (
                f"; and {len(wrong) - 3} more." if len(wrong) > 3 else "."
            )
        text = f"Unchanged: {counted(len(self.checks) - len(unchecked), 'check')} passed"
        return f"{text}, {len(unchecked)} could not be made." if unchecked else f"{text}."

    @property
    def notes(self) -> tuple[str, ...]:
        """What hashes cannot show."""
        return (
            "Hashes show changes, not who wrote the bundle: keep its own SHA-256, or sign it.",
            *(f"{c.what}: {c.detail}." for c in self.checks if c.ok is None),
        )

    @property
    def headings(self) -> tuple[Heading, ...]:
        """What was checked, whether it holds, and the details."""
        return (
            Heading.text("checked", "what"),
            Heading.text("result", "result"),
            Heading.text("", "detail"),
        )

    def rows(self) -> list[Row]:
        """Return a line for each check."""
        words = {True: "as it was", False: "WRONG", None: "not checked"}
        return [
            {"what": check.what, "result": words[check.ok], "detail": check.detail}
            for check in self.checks
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {
            "verdict": self.verdict,
            "passed": self.passed,
            "checks": self.rows(),
            "notes": list(self.notes),
        }


def check_members(manifest: Mapping[str, Any], wrong: Mapping[str, str]) -> list[Check]:
    """Return a check for the files of the bundle as a whole, and one for each that is wrong."""
    n = len(manifest["files"])
    if not wrong:
        return [Check("files of the bundle", True, f"{n} of {n} hashes agree")]
    return [Check(name, False, why) for name, why in wrong.items()]


def check_inputs(
    recorded: Mapping[str, Mapping[str, Any]], given: Mapping[str, tuple[int, str]]
) -> list[Check]:
    """Compare the size and hash of each input, by role, with what the bundle recorded."""
    checks = []
    for role, entry in recorded.items():
        if role not in given:
            checks.append(Check(f"{role} file", None, f"{entry['name']} was not given"))
            continue
        same = given[role] == (entry["bytes"], entry["sha256"])
        detail = "the same bytes" if same else f"not the bytes of {entry['name']}"
        checks.append(Check(f"{role} file", same, detail))
    return checks


def check_numbers(before: Any, now: Any, *, same_versions: bool) -> Check:
    """Compare all values of two evaluations; other versions of the programs are said."""
    what = "numbers computed again"
    pairs = list(_pairs(before, now, ""))
    differ = [(path, a, b) for path, a, b in pairs if a != b]
    hint = "" if same_versions else "; other versions of the programs may change digits"
    if not differ:
        return Check(what, True, f"{len(pairs)} of {len(pairs)} values are the same")
    path, a, b = differ[0]
    first = f"{path}: {a!r} then, {b!r} now"
    return Check(what, False, f"{len(differ)} of {len(pairs)} differ, first {first}{hint}")


def _pairs(before: Any, now: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, value then, value now) of all leaves; a missing one is None."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*before, *now)):
            if key not in CHANGES_BY_NATURE:
                yield from _pairs(before.get(key), now.get(key), f"{path}/{key}")
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (a, b) in enumerate(zip(before, now, strict=True)):
            yield from _pairs(a, b, f"{path}/{index}")
    else:
        yield path, before, now
