"""Layers of imports: checks of what import-linter cannot see, and that it covers the rest."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
CONTRACTS = TOOLS["importlinter"]["contracts"]
LAYERS = CONTRACTS[0]
DEPTH = {
    package.strip(): depth
    for depth, layer in enumerate(reversed(LAYERS["layers"]))
    for package in layer.split("|")
}


def files() -> dict[str, str]:
    """Return the text of every module of src, experiments and benchmarks, by its dotted name."""
    texts = {}
    for folder, base in (("src/tabseed", "src"), ("experiments", "."), ("benchmarks", ".")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / base).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            texts[name] = path.read_text()
    return texts


FILES = files()
INSIDE = [name for name in FILES if name.startswith("tabseed.")]

parsed = cache(ast.parse)


def package(module: str) -> str:
    return module.split(".")[1]


def imports(module: str) -> Iterator[tuple[str, str | None]]:
    """Yield the imports anywhere in a file: (module, name or None)."""
    for node in ast.walk(parsed(FILES[module])):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            yield from ((str(node.module), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)


def edges(module: str) -> set[str]:
    """Return the files that a file imports, also inside functions and only for types."""
    reached = {
        full if (full := f"{source}.{name}") in FILES else source
        for source, name in imports(module)
    }
    return reached & set(FILES) - {module}


def named_modules(module: str) -> Iterator[str]:
    """Yield the modules of tabseed that string constants name, as registries do."""
    for node in ast.walk(parsed(FILES[module])):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(r"tabseed(\.\w+)+", node.value):
                yield node.value


def test_the_contract_covers_every_package_and_ignores_nothing() -> None:
    assert LAYERS["type"] == "layers" and LAYERS["containers"] == ["tabseed"]
    assert LAYERS["exhaustive"] is True
    assert not any("ignore" in key for contract in CONTRACTS for key in contract)
    assert set(DEPTH) == {package(module) for module in INSIDE}


def test_contributing_draws_the_contract() -> None:
    picture = (ROOT / "CONTRIBUTING.md").read_text().split("LAYERS -->")[1]
    lines = [re.split(r"  +", line.strip())[0] for line in picture.splitlines()]
    assert [line for line in lines if line and not line.startswith("<")] == LAYERS["layers"]


def test_dataframes_stop_at_the_table_in_every_package() -> None:
    (contract,) = (c for c in CONTRACTS if c["name"] == "dataframes stop at the table")
    packages = {package(module) for module in contract["source_modules"]}
    # testing makes frames of all kinds to test with; __main__ only calls the command
    assert packages | {"table", "testing", "__main__"} == set(DEPTH)


def test_no_file_imports_itself_in_a_cycle() -> None:
    try:
        TopologicalSorter({module: edges(module) for module in FILES}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_a_cycle_would_be_detected(monkeypatch) -> None:
    monkeypatch.setitem(FILES, "tabseed.errors", "def f():\n    from tabseed.saved import load")
    with pytest.raises(pytest.fail.Exception, match=r"tabseed\.saved"):
        test_no_file_imports_itself_in_a_cycle()


@pytest.mark.parametrize("module", INSIDE)
def test_no_string_names_a_module_of_a_higher_layer(module: str) -> None:
    for named in named_modules(module):
        assert named in FILES, f"{module} names {named}, which is not a module"
        assert DEPTH[package(named)] <= DEPTH[package(module)], (
            f"{module} names {named}, which is in a higher layer"
        )


def test_strings_that_name_modules_are_detected() -> None:
    assert "tabseed.inductive_bias.fine_tuned" in set(named_modules("tabseed.saved"))
    assert len(set(named_modules("tabseed.generators"))) >= 9


@pytest.mark.parametrize("module", FILES)
def test_private_names_stay_in_their_package(module: str) -> None:
    """No file imports a private name of another package, nor from outside a private module."""
    inside = module.startswith("tabseed.")
    for source, name in imports(module):
        if not source.startswith("tabseed"):
            continue
        parts = source.split(".")[1:]
        if inside and parts and package(source) == package(module):
            continue
        private = [name] if inside else [*parts, name]
        bad = [p for p in private if p and p.startswith("_") and not p.startswith("__")]
        # _random and _progress are modules, private to the package
        allowed = inside and f"{source}.{name}" in FILES
        assert not bad or allowed, f"{module} imports {name} from {source}"


@pytest.mark.parametrize("module", INSIDE)
def test_private_names_are_not_reached_through_modules(module: str) -> None:
    modules = {
        name: source
        for source, name in imports(module)
        if name and f"{source}.{name}" in FILES and package(f"{source}.{name}") != package(module)
    }
    for node in ast.walk(parsed(FILES[module])):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            reached = node.value.id in modules and re.match("_[^_]", node.attr)
            assert not reached, f"{module} reaches {node.value.id}.{node.attr}"
