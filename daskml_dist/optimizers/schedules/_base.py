"""The contract of a schedule: the learning rate of each step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from daskml_dist.optimizers._range import refuse_outside

Numbers = Mapping[str, float]


class Schedule(ABC):
    """Learning rates for steps 1, 2, 3, ...

    What a schedule remembers is in numbers that the caller keeps; most remember nothing.
    """

    name: ClassVar[str]

    @abstractmethod
    def rate(self, step: int, numbers: Numbers) -> float:
        """The learning rate of a step, the first of which is 1; ``numbers`` is what is remembered."""

    def init(self) -> dict[str, float]:
        """What is remembered before the first step."""
        return {}

    def told(self, loss: float, numbers: Numbers) -> dict[str, float]:
        """What is remembered once the loss is known, as after an epoch or a pass."""
        return dict(numbers)


def positive(schedule: Schedule, name: str) -> None:
    """Refuse a parameter that is no finite number above 0."""
    refuse_outside(schedule, name, 0.0, strict=True)
