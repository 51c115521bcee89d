"""The contract of a listener: it hears a training and has no say in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from daskml_dist.monitor.details import Detail
from daskml_dist.types import Decision, Step

Plain = float | int | str
Status = Literal["converged", "stopped", "interrupted", "failed"]


class ListenerFailed(UserWarning):
    """A listener raised; the training goes on without what it would have shown."""


@dataclass(frozen=True, slots=True)
class FitInfo:
    """What is known before the first pass.

    Attributes
    ----------
    fit_id : unique to this fit.
    estimator : name of the class.
    solver : name of the solver that was chosen.
    rows : n, or -1 where it is not known yet.
    features : p.
    tol : relative gap at which the fit ends.
    max_passes : passes after which it ends.
    """

    fit_id: str
    estimator: str
    solver: str
    rows: int
    features: int
    tol: float
    max_passes: int


@dataclass(frozen=True, slots=True)
class FitEnd:
    """How a fit ended; ``seconds`` is from its beginning."""

    fit_id: str
    status: Status
    message: str
    passes: int
    seconds: float


class Listener(ABC):
    """Hears one fit after another: begin, any number of steps and decisions, end.

    All of them are called from the thread that drives the fit, so they return at once (well under 1 ms).
    """

    @abstractmethod
    def begin(self, info: FitInfo) -> None:
        """A fit begins."""

    @abstractmethod
    def hear(self, step: Step) -> None:
        """A pass over the data is done."""

    def decide(self, decision: Decision) -> None:  # noqa: B027 - who does not care need not say so
        """Work moved on the cluster; heard again, with the same number, if its gain is measured later."""

    def look(self, detail: Detail) -> None:  # noqa: B027 - nor who does not look closer
        """Something beside the numbers of the steps is known; a few times a second at most."""

    @abstractmethod
    def end(self, outcome: FitEnd) -> None:
        """The fit has ended, in whatever way."""


def as_plain(record: FitInfo | Step | FitEnd) -> dict[str, Plain]:
    """The fields of a record as Python numbers and text: what JSON, msgpack and a DataFrame take."""
    return {
        name: value.item() if isinstance(value, np.generic | np.ndarray) else value
        for name, value in fields_of(record).items()
    }


def fields_of(record: Any) -> dict[str, Any]:
    """The fields of a record, without the copies of what is in them that asdict() makes one by one."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
