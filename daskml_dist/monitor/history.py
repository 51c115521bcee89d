"""The listener that remembers: what becomes ``history_``."""

from __future__ import annotations

from typing import final

from daskml_dist.monitor._base import FitEnd, FitInfo, Listener, Plain, as_plain
from daskml_dist.types import Step


@final
class History(Listener):
    """Keeps the steps of the latest fit.

    Examples
    --------
    >>> history = History()
    >>> history.begin(FitInfo("f-1", "Ridge", "newton", 100, 2, 1e-6, 20))
    >>> history.hear(Step(1, "value", 0.5, 0.1, "estimate", 1.0, 1.0, 100, 0.01, 4, 800))
    >>> history.rows()[0]["gap"]
    0.1
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far, in order."""
        return tuple(self._steps)

    def rows(self) -> list[dict[str, Plain]]:
        """One dict of plain Python values a step, in order."""
        return [as_plain(step) for step in self.steps]

    def begin(self, info: FitInfo) -> None:
        self._steps = []

    def hear(self, step: Step) -> None:
        self._steps.append(step)

    def end(self, outcome: FitEnd) -> None:
        """Keep everything: it is asked for after the end."""
