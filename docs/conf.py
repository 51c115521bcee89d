"""The site: Markdown by hand, the reference from the docstrings; a warning is an error."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

project = "daskml_dist"
author = "daskml_dist developers"
project_copyright = "2026, daskml_dist developers"
version = release = PYPROJECT["project"]["version"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
nb_execution_mode = "off"  # notebooks show the outputs that are kept in them; make notebooks runs them
html_theme = "furo"
html_title = "daskml_dist"
html_copy_source = False
html_show_sourcelink = False
templates_path: list[str] = []
html_static_path = ["_static"]

myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_type_aliases = {name: name for name in ("FloatArray", "AnyArray", "GapKind")}

SECTION = re.compile(r"^\s*-{3,}\s*$")
ENTRY = re.compile(r"^(?P<indent>\s*)(?P<names>\*{0,2}\w+(, \*{0,2}\w+)*) : (?P<text>.*)$")
QUOTED = re.compile(r"(``.+?``|:\w+:`.+?`|`[^`]+`_{0,2})")
ENUMERATOR = re.compile(r"^(?=\(?\w\W?(\s|$))")
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
MARKUP = re.compile(r"([|*\\]|(?<=\w)_(?=\W|$))")
ROUTING = re.compile(r"set_\w+_request|get_metadata_routing")


def rooms() -> Iterator[str]:
    """The rooms that are there, from the top storey down, as the import contract lists them."""
    for contract in PYPROJECT["tool"]["importlinter"]["contracts"]:
        for storey in contract.get("layers", []):
            for room in re.findall(r"\w+", storey):
                path = ROOT / "daskml_dist" / room
                if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
                    yield f"daskml_dist.{room}"


def list_rooms(app: Sphinx, docname: str, content: list[str]) -> None:
    """Write one section for each room where api.md says so."""
    if docname == "api":
        sections = [f"## {room}\n\n```{{eval-rst}}\n.. automodule:: {room}\n```\n" for room in rooms()]
        content[0] = content[0].replace("<!-- rooms -->", "\n".join(sections))


def read_as_text(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings are text with formulas: ``|x|``, ``a * b`` and ``coef_`` are no markup outside quotes."""
    plain: list[str] = []
    literal = -1  # the indent above which lines are a literal block
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent <= literal:
            literal = -1
        if literal >= 0 or line.lstrip().startswith((">>>", "...", "..")):
            plain.append(line)
            continue
        if line.rstrip().endswith("::"):
            literal = indent
        following = lines[i + 1] if i + 1 < len(lines) else ""
        plain += _entry(line, following) if _in_section(lines, i) else [_escape(line)]
    lines[:] = plain


def _in_section(lines: list[str], i: int) -> bool:
    return any(SECTION.match(line) for line in lines[:i])


def _entry(line: str, following: str) -> list[str]:
    """``name : text`` where the text is no type, but all there is to say or its first line."""
    found = ENTRY.match(line)
    if found is None:
        return [_escape(line)]
    indent, text = found["indent"], _escape(found["text"])
    names = found["names"].split(", ")
    continued = len(following) - len(following.lstrip()) > len(indent)
    is_type = len(text.split()) <= 6 or "shape" in text or "default" in text
    if continued and is_type:
        return [f"{indent}{', '.join(names)} : {text}"]
    text = ENUMERATOR.sub(r"\\", text)  # "p." is no list
    names = [", ".join(names)] if continued else names
    return [line for name in names for line in (f"{indent}{name}", f"{indent}    {text}")]


def _escape(line: str) -> str:
    parts = QUOTED.split(line)
    return "".join(part if i % 2 else MARKUP.sub(r"\\\1", part) for i, part in enumerate(parts))


def leave_out(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """The methods that scikit-learn makes for its metadata routing are not ours to describe."""
    return True if ROUTING.fullmatch(name) else None


def name_aliases(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """FloatArray is called FloatArray in a union as well."""
    return (
        None if signature is None else ALIAS.sub(r"\1", signature),
        None if returns is None else ALIAS.sub(r"\1", returns),
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the hooks; docstrings are read before napoleon, which writes markup."""
    app.connect("source-read", list_rooms)
    app.connect("autodoc-process-docstring", read_as_text, priority=400)
    app.connect("autodoc-process-signature", name_aliases)
    app.connect("autodoc-skip-member", leave_out)
    return {"parallel_read_safe": True}
