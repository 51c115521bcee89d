"""What a training tells beside the numbers of its steps, for whoever looks closer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from daskml_dist.types import Layout


@dataclass(frozen=True, slots=True)
class Placed:
    """Who answers for what; told once, at the beginning."""

    event: ClassVar[str] = "placed"
    layout: Layout


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The largest coefficients after so many passes, and those that were among them before.

    Attributes
    ----------
    passes, seconds : when.
    names, values : the largest ones first.
    errors : standard errors of the largest ones; empty where there are none.
    source : what these come from, or why there are none.
    """

    event: ClassVar[str] = "coefficients"
    passes: int
    seconds: float
    names: tuple[str, ...]
    values: tuple[float, ...]
    errors: tuple[float, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Work:
    """Where the time of some passes went.

    Attributes
    ----------
    passes, seconds : when it was told.
    wall : seconds since it was told the last time.
    asked : those in which questions were being answered.
    slowest : those in which the slowest worker of each question computed.
    workers, busy : who computed, and for how many seconds, those of all its threads together.
    nbytes : bytes of partial answers that were combined.
    """

    event: ClassVar[str] = "work"
    passes: int
    seconds: float
    wall: float
    asked: float
    slowest: float
    workers: tuple[str, ...]
    busy: tuple[float, ...]
    nbytes: int


@dataclass(frozen=True, slots=True)
class HeldOutScore:
    """The score on rows that were held out, and its standard error (NaN where it is not known)."""

    event: ClassVar[str] = "held_out"
    passes: int
    seconds: float
    score: float
    error: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """What cross-validation found: for each candidate the mean over the splits and its standard error.

    ``metric`` says of what; ``best`` is the position of the best mean.
    """

    event: ClassVar[str] = "candidates"
    metric: str
    names: tuple[str, ...]
    means: tuple[float, ...]
    errors: tuple[float, ...]
    best: int


@dataclass(frozen=True, slots=True)
class GroupsSeen:
    """The mean loss of each group, and how much the adversary weighs it."""

    event: ClassVar[str] = "groups"
    passes: int
    seconds: float
    names: tuple[str, ...]
    losses: tuple[float, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """What servers of parameters have counted so far: pulls by how far the slowest node was behind."""

    event: ClassVar[str] = "stale"
    passes: int
    seconds: float
    staleness: tuple[int, ...]
    pulls: tuple[int, ...]
    pushes: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Steered:
    """A command that was accepted: when (seconds since 1970), what, and the value of one that has any."""

    event: ClassVar[str] = "control"
    time: float
    command: str
    value: float | None


Detail = Placed | Coefficients | Work | HeldOutScore | Candidates | GroupsSeen | Stale | Steered
