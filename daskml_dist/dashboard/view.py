"""What a page looks at, wherever it is shown: on a scheduler, or in the process of the fits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.store import Store


@final
@dataclass(frozen=True)
class Memory:
    """Of a worker: its name, and the bytes that its process has and may have (0: no limit)."""

    name: str
    used: int
    limit: int


class View(ABC):
    """The fits, the memory of the workers, and whether and how a fit may be steered."""

    @property
    @abstractmethod
    def store(self) -> Store:
        """The fits; asked anew each time, since a plugin may be replaced."""

    @abstractmethod
    def memory(self) -> list[Memory]:
        """Of each worker."""

    @abstractmethod
    def steerable(self, fit: Fit) -> bool:
        """Whether whoever has the fit has allowed that it is steered from pages."""

    @abstractmethod
    def steer(self, fit_id: str, command: str, value: float | None = None) -> None:
        """Send a command; nothing where that is not allowed or makes no sense."""
