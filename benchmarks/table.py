"""Tables: what a suite returns, and how it is printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Cell = str | float | int | None


@dataclass
class Table:
    """Rows of cells under columns, a title above and notes below."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: Cell) -> None:
        """Add a row."""
        assert len(cells) == len(self.columns), (cells, self.columns)
        self.rows.append(cells)

    def text(self) -> str:
        """For a terminal."""
        grid = [list(self.columns), *([shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in grid) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in grid
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join(
            [self.title, "=" * len(self.title), *lines, *(f"* {note}" for note in self.notes), ""]
        )

    def markdown(self) -> str:
        """For the documentation."""
        grid = [list(self.columns), ["---"] * len(self.columns)]
        grid += [[shown(cell) for cell in row] for row in self.rows]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in grid]
        return "\n".join([f"**{self.title}**", "", *lines, "", *(f"- {note}" for note in self.notes), ""])

    def record(self) -> dict[str, Any]:
        """For a JSON file."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": self.notes}


def shown(cell: Cell) -> str:
    """A cell as text: numbers with three digits that matter."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or (float(cell).is_integer() and abs(cell) >= 1000):
        return f"{int(cell):,}"
    if cell == 0 or 0.01 <= abs(cell) < 1000:
        return f"{cell:.3g}"
    return f"{cell:,.0f}" if 1000 <= abs(cell) < 1e6 else f"{cell:.1e}"


def write_section(path: Path, name: str, body: str) -> None:
    """Replace what is between the markers of a suite in a Markdown file."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{path} has no place for {name}: it lacks the line {begin}")
    path.write_text(pattern.sub(lambda _: f"{begin}\n\n{body}\n{end}", text), encoding="utf-8")
