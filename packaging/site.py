"""What MkDocs does not do by itself; ``hooks`` of mkdocs.yml.

The gallery is made of its scripts, pictures come from where they were measured, equations become
MathML (no script, no request to another host), and each page is also there as the Markdown that
llms.txt lists.
"""

from __future__ import annotations

import ast
import html
import re
import shutil
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "examples" / "gallery"
PICTURE = re.compile(r"\]\((?:\.\./)+((?:benchmarks|examples|experiments)/[\w/]+\.svg)\)")
EQUATION = re.compile(
    r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL
)  # pymdownx.arithmatex, generic


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the gallery and the pictures of studies."""
    files.append(File.generated(config, "gallery.md", content=gallery()))
    for folder in ("benchmarks", "examples", "experiments"):
        for path in sorted((ROOT / folder).rglob("*.svg")):
            uri = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def gallery() -> str:
    """Return the page of the gallery: of each script what it asks, its picture, its code."""
    parts = [(GALLERY / "README.md").read_text()]
    for path in sorted(GALLERY.glob("*.py")):
        code = path.read_text()
        title, _, text = (ast.get_docstring(ast.parse(code)) or "").partition("\n")
        fenced = f"```python\n{code}```".replace("\n", "\n    ")
        parts += [
            f"## {title.rstrip('.')}",
            text.strip(),
            f"![{title}](examples/gallery/{path.stem}.svg)",
            f'??? example "{path.name}"\n\n    {fenced}',
        ]
    return "\n\n".join(parts)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let pictures of studies, which lie outside of docs/, lead to their copies in the site."""
    up = "../" * page.file.src_uri.count("/")
    return PICTURE.sub(rf"]({up}\1)", markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Write equations as MathML."""

    def mathml(found: re.Match[str]) -> str:
        display = "inline" if found[1] == "span" else "block"
        return convert(html.unescape(found[2]).strip(), display=display)

    return EQUATION.sub(mathml, content)


def on_post_build(config: MkDocsConfig) -> None:
    """Put the Markdown of each page beside it."""
    docs, site = Path(config.docs_dir), Path(config.site_dir)
    for path in docs.rglob("*.md"):
        (site / path.relative_to(docs)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, site / path.relative_to(docs))
