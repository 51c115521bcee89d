"""Where a descent stands between two passes, as arrays and numbers of a state."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, final

import numpy as np

from daskml_dist.solvers._base import State, Turn
from daskml_dist.types import FloatArray

A = TypeVar("A")


@final
@dataclass(frozen=True)
class Course:
    """What the next pass and the end of a descent depend on, beside the point and the metric of its state.

    With it a descent that was cut short goes on with the very question that was not answered.

    Attributes
    ----------
    step : (q,) from the point of the state to where F is asked for.
    gradient : (q,) of the smooth part of F at that point.
    value : F there.
    t, rejected : the share of the whole step that this is, and how often it was shortened.
    gap_before : the relative gap at the point. gained : the factor of the last pass on it.
    falls : decreases of F in the last passes.
    """

    step: FloatArray
    gradient: FloatArray
    value: float
    t: float
    rejected: int
    gap_before: float
    gained: float
    falls: tuple[float, ...]

    def on(self, state: State) -> State:
        """The state, with this."""
        arrays = {"step": self.step, "gradient": self.gradient, "falls": np.array(self.falls)}
        numbers = {
            "value": self.value,
            "t": self.t,
            "rejected": float(self.rejected),
            "gap_before": self.gap_before,
            "gained": self.gained,
        }
        return replace(
            state,
            arrays={**state.arrays, **{f"course.{name}": entry for name, entry in arrays.items()}},
            numbers={**state.numbers, **{f"course.{name}": entry for name, entry in numbers.items()}},
        )

    @classmethod
    def of(cls, state: State) -> Course | None:
        """What such a state knows; None where it was kept before the first step."""
        if "course.step" not in state.arrays:
            return None
        arrays, numbers = state.arrays, state.numbers
        return cls(
            arrays["course.step"],
            arrays["course.gradient"],
            numbers["course.value"],
            numbers["course.t"],
            int(numbers["course.rejected"]),
            numbers["course.gap_before"],
            numbers["course.gained"],
            tuple(arrays["course.falls"].tolist()),
        )


def marked(conversation: Generator[Turn, Any, A], name: str) -> Generator[Turn, Any, A]:
    """A part of a conversation, each state of which says that it is of that part."""
    reply: Any = None
    while True:
        try:
            turn = conversation.send(reply)
        except StopIteration as stop:
            found: A = stop.value
            return found
        state = replace(turn.state, numbers={**turn.state.numbers, name: 1.0})
        reply = yield Turn(turn.question, state)
