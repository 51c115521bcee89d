"""What the commands print: short, for people, at most 80 columns where names allow it."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from daskml_dist.cli.class_scores import ClassScore
    from daskml_dist.cli.scores import Scores

WIDTH = 78
SHOWN, LABEL = 12, 22
"""Classes that are listed, and letters of their names."""
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
            initial_indent=f"  {name:<12} ",
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
        if scores.classes:
            self._classes(scores.classes)

    def _classes(self, classes: tuple[ClassScore, ...]) -> None:
        """A line for each class; of many, for those that fare worst."""
        seen = sorted((c for c in classes if c.rows), key=lambda c: c.recall)
        shown = classes if len(classes) <= SHOWN else tuple(seen[:SHOWN])
        width = max(len("worst classes"), *(len(short(c.name)) for c in shown)) + 1
        title = "class" if len(shown) == len(classes) else "worst classes"
        self.line(
            f"\n  {title:<{width}}{'rows':>9}{'recall':>10}{'precision':>11}   missed ones mostly taken for"
        )
        for c in shown:
            numbers = f"{c.rows:>9,}{_share(c.recall):>10}{_share(c.precision):>11}"
            self.line(f"  {short(c.name):<{width}}{numbers}   {short(c.taken_for)}".rstrip())
        rest, unseen = seen[SHOWN:], len(classes) - len(seen)
        if len(shown) < len(classes) and rest:
            span = " to ".join(dict.fromkeys((_share(rest[0].recall), _share(rest[-1].recall))))
            self.line(f"  and {len(rest):,} more with a recall of {span}")
        if len(shown) < len(classes) and unseen:
            self.line(f"  and {unseen:,} without held-out rows")


def short(name: str) -> str:
    """A label, cut where it is long."""
    return name if len(name) <= LABEL else name[: LABEL - 3] + "..."


def _share(value: float) -> str:
    """A share of rows; a dash where there were none."""
    return "-" if value != value else f"{value:.4f}"


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
