"""What the commands print: short, for people, at most 80 columns where names allow it."""

from __future__ import annotations

import sys
import textwrap
from typing import Any, final

from daskml_dist.cli.scores import Scores

WIDTH = 78
PROOFS = {
    "closed-form": "proven: closed form",
    "self-concordance": "proven: self-concordance",
    "strong-convexity": "proven: strong convexity",
    "estimate": "estimated, not proven",
}


@final
class Report:
    """Writes to stdout, line by line, so that a pipe sees them as they come; nothing where ``quiet``."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def line(self, text: str = "") -> None:
        """One line."""
        if not self.quiet:
            print(text, flush=True)

    def fact(self, name: str, text: str) -> None:
        """A name and what there is to say, wrapped."""
        wrapped = textwrap.fill(
            text,
            WIDTH,
            initial_indent=f"  {name:<13}",
            subsequent_indent=" " * 15,
            break_on_hyphens=False,
            break_long_words=False,
        )
        self.line(wrapped)

    def notes(self, notes: list[str] | tuple[str, ...]) -> None:
        """What the user should know, one note a line."""
        for note in notes:
            self.fact("note", note)

    def scores(self, scores: Scores) -> None:
        """The table of scores beside the constant model."""
        self.line(f"\n  {'held out':<14}{'model':>10}{'constant':>12}")
        for name, value, constant in scores.table:
            self.line(f"  {name:<14}{_figure(value):>10}{_figure(constant):>12}")
        if scores.note:
            self.notes([scores.note])


def _figure(value: float) -> str:
    """Four decimals, or four digits where these say nothing or too much."""
    return f"{value:.4f}" if 0.01 <= abs(value) < 1e6 or value == 0.0 else f"{value:.3g}"


def certainty(model: Any) -> str:
    """The relative gap of a fitted model, and whether it is proven."""
    return f"{model.gap_:.1e} relative ({PROOFS[model.gap_kind_]})"


def warn(text: str) -> None:
    """A line on stderr."""
    print(f"daskml-dist: {one_line(text)}", file=sys.stderr, flush=True)


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())
