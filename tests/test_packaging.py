"""What a release needs: one version, one list of what is asked for, licences that suit."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FREE = ("MIT", "BSD", "Apache", "PSF", "ISC", "Zlib")


def test_the_version_stands_alike_wherever_a_release_needs_it() -> None:
    version = PROJECT["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f'version = "{version}"' in (ROOT / "packaging" / "meta.yaml").read_text()


def test_the_recipe_asks_for_what_the_package_asks_for() -> None:
    names = [line.split(">=") for line in PROJECT["dependencies"]]
    recipe = (ROOT / "packaging" / "meta.yaml").read_text()
    assert len(names) > 8
    for name, least in names:
        assert f"    - {name} >={least}\n" in recipe, name


def test_what_the_package_needs_has_a_free_licence() -> None:
    """Licences that ask nothing of who uses tabseed; packages say theirs in one of three ways."""
    extras = PROJECT["optional-dependencies"]
    wanted = ("neural", "sql", "fast", "tune", "excel", "stats", "private")
    asked = [*PROJECT["dependencies"], *(name for extra in wanted for name in extras[extra])]
    found = {}
    for name in sorted({re.split(r"[\[<>=]", line)[0] for line in asked}):
        try:
            told = metadata(name)
        except PackageNotFoundError:
            continue
        texts = [told.get("License-Expression"), (told.get("License") or "")[:200]]  # scipy: all
        texts += [c for c in told.get_all("Classifier", []) if c.startswith("License ::")]
        found[name] = " ".join(filter(None, texts))
    assert len(found) >= len(PROJECT["dependencies"])
    for name, text in found.items():
        assert any(word in text for word in FREE) and not re.search(r"\bA?GPL|BUSL|BSL 1", text), (
            name
        )
