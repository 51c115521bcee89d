"""The source tree keeps the house rules."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.house import rules

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "daskml_dist"
SOURCE = sorted(PACKAGE.rglob("*.py"))
OTHERS = [path for top in ("benchmarks", "docs", "tests") for path in (ROOT / top).rglob("*.py")]
EVERYTHING = SOURCE + sorted(OTHERS)

PURE = (
    "types.py",
    "edge.py",
    "losses",
    "penalties",
    "risks",
    "optimizers",
    "splits",
    "kernels",
    "solvers",
    "partition",
    "cells",
    "drift",
)
HANDS = ("cluster", "cli")  # cli/ learns levels and means, and reads predictions, before and after a fit
FACADES = sorted(PACKAGE.rglob("__init__.py"))


def _outside(rooms: Iterable[str]) -> list[Path]:
    return [path for path in SOURCE if path.relative_to(PACKAGE).parts[0] not in rooms]


def _inside(rooms: Iterable[str]) -> list[Path]:
    return [path for path in SOURCE if path.relative_to(PACKAGE).parts[0] in rooms]


RULES: list[tuple[Callable[[str], list[str]], list[Path]]] = [
    (rules.file_too_long, EVERYTHING),
    (rules.function_too_long, EVERYTHING),
    (rules.bare_todo, EVERYTHING),
    (rules.touches_dask, _outside(HANDS)),
    (rules.impure_import, _inside(PURE)),
    (rules.asks_hasattr, SOURCE),
    (rules.swallows_keywords, SOURCE),
    (rules.missing_docstring, SOURCE),
    (rules.facade_unsorted, FACADES),
]


def test_the_tree_keeps_the_rules() -> None:
    complaints = []
    asked = [(rule, frozenset(paths)) for rule, paths in RULES]
    for path in EVERYTHING:
        source = path.read_text(encoding="utf-8")
        complaints += [
            f"{path.relative_to(ROOT)}:{complaint}"
            for rule, paths in asked
            if path in paths
            for complaint in rule(source)
        ]
    assert not complaints, "\n" + "\n".join(complaints)


def test_the_walk_finds_the_rooms() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0] for path in SOURCE}
    assert {*PURE, *HANDS} <= rooms


@pytest.mark.parametrize("facade", FACADES, ids=lambda path: path.parent.name)
def test_a_facade_exports_what_it_says(facade: Path) -> None:
    room = importlib.import_module(".".join(facade.parent.relative_to(ROOT).parts))
    assert [name for name in room.__all__ if getattr(room, name, None) is None] == []
