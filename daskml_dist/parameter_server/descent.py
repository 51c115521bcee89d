"""The question to servers of parameters: a run of clocks, from a state to a state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.kernels import Point, Stepping, View, Walk
from daskml_dist.losses import Loss
from daskml_dist.optimizers import OptimizerState
from daskml_dist.parameter_server.consistency import Consistency
from daskml_dist.parameter_server.reports import Counts
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Held:
    """What servers hold, whole or for a range of the parameters.

    Attributes
    ----------
    theta, mean : (K, q) the iterate, and the mean of iterates.
    averaged : how many are in the mean.
    memory : of the optimizer.
    seen : rows that were stepped by.
    """

    theta: FloatArray
    mean: FloatArray
    averaged: float
    memory: OptimizerState
    seen: float

    def of(self, columns: slice) -> Held:
        """That of a range."""
        arrays = {name: np.array(array[:, columns]) for name, array in self.memory.arrays.items()}
        return replace(
            self,
            theta=np.array(self.theta[:, columns]),
            mean=np.array(self.mean[:, columns]),
            memory=replace(self.memory, arrays=arrays),
        )

    @classmethod
    def side_by_side(cls, parts: Sequence[Held]) -> Held:
        """That of all ranges; numbers are those of the first one."""
        first = parts[0]
        arrays = {
            name: np.concatenate([part.memory.arrays[name] for part in parts], axis=1)
            for name in first.memory.arrays
        }
        return replace(
            first,
            theta=np.concatenate([part.theta for part in parts], axis=1),
            mean=np.concatenate([part.mean for part in parts], axis=1),
            memory=replace(first.memory, arrays=arrays),
        )


@final
@dataclass(frozen=True)
class Terms:
    """What one server is told: see ``Descent``; ``rows`` are those of a clock, of all nodes together."""

    held: Held
    stepping: Stepping
    first: int
    last: int
    rows: float
    rate: Callable[[float, float], float] | None
    average: tuple[float, float] | None
    consistency: Consistency


@final
@dataclass(frozen=True)
class Descent:
    """Clocks ``first`` to ``last`` of an epoch of ``walk.parts`` clocks, by nodes and servers.

    At a clock each node draws its share of the rows of that part of the walk.

    Attributes
    ----------
    loss : the loss.
    point : the shape of the parameters of K problems.
    views : how each of the problems sees the rows.
    weights : (K,) sums of the weights of all rows of an epoch.
    walk : which rows.
    stepping : from a gradient to the next point.
    held : what the servers begin with.
    first, last : the clocks, ``last`` not among them.
    rows : n, the rows of an epoch.
    rate : the learning rate of a step, given its rows and all rows so far; None for the optimizer's own.
    average : the power by which iterates weigh in the mean, and from how many rows on; or None.
    consistency : how far nodes may part.
    servers : over how many ranges the parameters are spread at most.
    """

    loss: Loss
    point: Point
    views: tuple[View, ...]
    weights: FloatArray
    walk: Walk
    stepping: Stepping
    held: Held
    first: int
    last: int
    rows: float
    rate: Callable[[float, float], float] | None
    average: tuple[float, float] | None
    consistency: Consistency
    servers: int = 1

    @property
    def ranges(self) -> tuple[slice, ...]:
        """The parameters of each server, in runs of about the same length."""
        q = self.held.theta.shape[1]
        cuts = np.linspace(0, q, min(self.servers, q) + 1).round().astype(int).tolist()
        return tuple(slice(a, b) for a, b in zip(cuts, cuts[1:], strict=False))

    def terms(self, columns: slice) -> Terms:
        """What the server of a range has to know; where rows come from is not part of it."""
        return Terms(
            self.held.of(columns),
            self.stepping.of(columns),
            self.first,
            self.last,
            self.rows / self.walk.parts,
            self.rate,
            self.average,
            self.consistency,
        )


@final
@dataclass(frozen=True)
class Served:
    """What a descent has come to.

    Attributes
    ----------
    held : what the servers hold at the end.
    batches : (2, K) weights and losses of the rows of each clock, taken where they were stepped from.
    directions : (K, q) the mean direction of all nodes at each clock.
    places : (K, q) the sum over clocks of where these were followed.
    penalties : where the steps of each clock were made.
    finite : whether all pushes were; if not, the descent ended there.
    digests : the hash of the last version of each server, which all nodes have seen.
    counts : of all servers together.
    """

    held: Held
    batches: tuple[FloatArray, ...]
    directions: tuple[FloatArray, ...]
    places: FloatArray
    penalties: tuple[float, ...]
    finite: bool
    digests: tuple[int, ...]
    counts: Counts
