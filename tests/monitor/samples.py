"""One training, told to a listener."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from daskml_dist.monitor import FitEnd, FitInfo, Listener
from daskml_dist.types import Decision, Step

INFO = FitInfo("fit-1", "LogisticRegression", "newton", 1000, 20, 1e-6, 100)
END = FitEnd("fit-1", "converged", "the gap is below tol", 3, 0.52)


MOVE = Decision(0, 0.2, 1, "slow", (3, 4), "tcp://a", "tcp://b", "tcp://a is slow", 0.5)


def step(passes: int, **changes: Any) -> Step:
    """A step as a solver would report it, with NumPy scalars in it."""
    values: dict[str, Any] = {
        "passes": passes,
        "question": "value_gradient",
        "objective": np.float64(0.3123456789),
        "gap": np.float64(10.0**-passes),
        "gap_kind": "self-concordance",
        "gradient_norm": 0.1,
        "step_size": 1.0,
        "rows": np.int64(1000),
        "seconds": 0.1 * passes,
        "tasks": 4,
        "partial_bytes": 800,
    }
    return Step(**(values | changes))


def tell(listener: Listener, passes: int = 3) -> None:
    """A whole training."""
    listener.begin(INFO)
    for number in range(1, passes + 1):
        listener.hear(step(number))
    listener.end(END)


@final
class Recorder(Listener):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def begin(self, info: FitInfo) -> None:
        self.heard.append(info)

    def hear(self, step: Step) -> None:
        self.heard.append(step)

    def decide(self, decision: Decision) -> None:
        self.heard.append(decision)

    def end(self, outcome: FitEnd) -> None:
        self.heard.append(outcome)
