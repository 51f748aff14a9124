"""The documentation: its code runs, its links lead somewhere, nothing is missing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from html import unescape
from itertools import product
from pathlib import Path
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

import tabseed

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
CODE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
RUN = ("python", "sh")
README = (ROOT / "README.md").read_text()
STUDIES = (ROOT / "experiments").exists()
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


def blocks(page: str) -> list[tuple[str, str]]:
    """Return language and text of the blocks of a page that a reader would run.

    Not those that stand in README too: tests/test_readme.py runs them.
    """
    found = CODE.findall((DOCS / page).read_text())
    return [
        (language, "\n".join(line.removeprefix(indent) for line in text.splitlines()))
        for indent, language, text in found
        if language in RUN and text.replace("penguins.csv", "examples/penguins.csv") not in README
    ]


COMMAND = """
import sys
from tabseed.cli import main

def command(arguments):
    sys.argv = ["tabseed", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (end.code, arguments)
"""  # all in one process: libraries are imported once


RUNNABLE = [page for page in PAGES if blocks(page)]


def test_pages_have_code() -> None:
    assert len(RUNNABLE) > 8
    languages = {
        language for page in PAGES for _, language, _ in CODE.findall((DOCS / page).read_text())
    }
    assert languages <= {*RUN, "text", "json"}, languages  # text: of others, or what needs an extra


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE)
def test_the_code_of_a_page_runs_from_top_to_bottom(tmp_path, page: str) -> None:
    """Commands, then the Python between them, in one folder that holds the example table."""
    shutil.copy(ROOT / "examples" / "penguins.csv", tmp_path)
    script = [COMMAND]
    for language, text in blocks(page):
        if language == "python":
            script.append(text)
            continue
        for line in filter(None, (re.sub(r"\s+#.*", "", row) for row in text.splitlines())):
            program, *rest = shlex.split(line)
            assert program == "tabseed", line
            script.append(f"command({rest!r})")
    (tmp_path / "page.py").write_text("\n".join(script))
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3_000:]


@pytest.mark.skipif(not STUDIES, reason="the sdist has no studies")
@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_pages_lead_somewhere(page: str) -> None:
    text = CODE.sub("", (DOCS / page).read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://github.com/tabseed/tabseed/"):
            path = re.sub(
                r"^(tree|blob)/main/",
                "",
                target.removeprefix("https://github.com/tabseed/tabseed/"),
            )
            assert (ROOT / path).exists(), target
        elif not target.startswith("http"):
            file, _, anchor = target.partition("#")
            there = (DOCS / page).parent / file if file else DOCS / page
            assert there.exists(), target
            if anchor:
                heads = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w]+", "-", h.lower()).strip("-") for h in heads}, (
                    target
                )


def test_the_menu_and_the_list_for_machines_name_every_page() -> None:
    menu = (ROOT / "mkdocs.yml").read_text()
    listed = (DOCS / "llms.txt").read_text()
    for page in PAGES:
        assert page in menu, page
        assert f"({page})" in listed, page


def test_the_reference_has_every_public_name_once() -> None:
    text = "".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    named = re.findall(r"^::: tabseed\.(?:\w+\.)*(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(set(tabseed.__all__) - {"__version__"})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site, built without a warning."""
    folder = tmp_path_factory.mktemp("site")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", folder],
        cwd=ROOT, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr[-3_000:]
    return folder


@pytest.mark.slow
def test_links_of_the_site_lead_somewhere(site: Path) -> None:
    """Pages, anchors, pictures and the Markdown that llms.txt lists."""
    pages = {path: path.read_text() for path in site.rglob("*.html") if path.name != "404.html"}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    dead = []
    for path, text in pages.items():
        for target in set(re.findall(r'\b(?:href|src)="([^"]+)"', text)):
            if re.match(r"https?:|data:|mailto:|javascript:", target):
                continue
            name, _, anchor = unescape(target).partition("#")
            there = (path.parent / name).resolve() if name else path
            there = there / "index.html" if there.is_dir() else there
            if not there.exists() or (anchor and unquote(anchor) not in anchors[there]):
                dead.append(f"{path.relative_to(site)}: {target}")
    assert len(pages) > 35 and dead == []
    listed = re.findall(r"\]\(([^)]+)\)", (site / "llms.txt").read_text())
    assert all((site / name).exists() for name in listed)
    assert all("arithmatex" not in text for text in pages.values())


SHOWN = (
    ".", "start", "commands", "questions/share", "questions/combine", "others", "complaints",
    "auto", "science/bias", "science/utility", "benchmarks", "glossary", "gallery", "reference",
    "reference/generators",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_pages_of_the_site_on_a_phone(site: Path) -> None:
    """Nothing to scroll sideways, nothing serious for axe-core, no request to another host."""
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, scheme in product(SHOWN, ("light", "dark")):
            context = browser.new_context(
                viewport={"width": 390, "height": 800}, color_scheme=scheme, bypass_csp=True
            )
            page = context.new_page()
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto((site / name / "index.html").as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            page.wait_for_timeout(200)  # colours fade in
            found += [
                (name, url) for url in asked if not url.startswith(("file:", "data:", "blob:"))
            ]
            wide = page.evaluate("document.documentElement.scrollWidth")
            found += [(name, f"{wide} pixels wide")] if wide > 390 else []
            for said in Axe().run(page).response["violations"]:
                if said["impact"] in ("serious", "critical"):
                    found.append((name, scheme, said["id"], said["nodes"][0]["html"][:200]))
            context.close()
        browser.close()
    assert found == []


def test_every_answer_to_a_complaint_names_a_test_that_exists() -> None:
    defined = set()
    for folder in (ROOT / "tests", ROOT / "src" / "tabseed" / "testing"):
        for path in folder.rglob("*.py"):
            defined |= set(re.findall(r"^def ((?:test|check)_\w+)", path.read_text(), re.MULTILINE))
    rows = [line for line in (DOCS / "complaints.md").read_text().splitlines() if "#" in line]
    named = [re.findall(r"\| `((?:test|check)_\w+)` \|$", row) for row in rows if "| `" in row]
    assert len(named) > 35
    for names in named:
        assert len(names) == 1 and names[0] in defined, names


def test_every_option_that_a_page_names_exists() -> None:
    named = set()
    for page in PAGES:
        named |= set(re.findall(r"--[a-z][a-z-]+", (DOCS / page).read_text()))
    sources = "".join(path.read_text() for path in (ROOT / "src/tabseed/cli").rglob("*.py"))
    assert len(named) > 20
    assert named - set(re.findall(r'"(--[a-z][a-z-]+)', sources)) == set()
