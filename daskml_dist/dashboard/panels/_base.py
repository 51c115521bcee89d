"""The contract of a panel: one picture of a fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.view import Memory

Along = Literal["passes", "seconds"]


class Panel(ABC):
    """A picture that leads to a decision.

    It is made once for each page that is open, and updated a few times a second on the loop of the
    scheduler: the work of an update is that of the rows that are new, never that of the history.

    Attributes
    ----------
    name : in the address of its own page, and for JupyterLab.
    title : in the list of pages.
    root : the bokeh model.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    root: Any

    def __init__(self, memory: Callable[[], list[Memory]]) -> None:
        self.memory = memory
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Make ``root``, without data."""

    @abstractmethod
    def update(self, fit: Fit) -> bool:
        """Show what is new of a fit; whether there is anything to show."""

    def along(self, axis: Along) -> None:  # noqa: B027 - most have another x axis
        """Draw against passes or seconds from now on, where there is the choice."""
