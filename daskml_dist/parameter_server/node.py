"""A node: pulls a version, steps by its own rows, pushes, and keeps what it pushed; a pure generator.

It yields messages to all servers and is sent their answers, in the order of the servers. Who carries them
decides what happens when one is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from daskml_dist.kernels import NOTHING, Directions, ExactSum, Partial, partial_answer
from daskml_dist.parameter_server.descent import Descent
from daskml_dist.parameter_server.push import Push
from daskml_dist.parameter_server.version import Version, VersionCorrupt
from daskml_dist.types import Chunk, FloatArray

_PULLS = 3  # of a version whose hash does not fit


class PushesLost(Exception):  # noqa: N818 - an event, which is mended
    """A server lacks updates that nobody has any more: all go back to the checkpoint."""


@final
@dataclass(frozen=True)
class Join:
    """Ask each server for the next clock of this node."""

    worker: int


@final
@dataclass(frozen=True)
class Read:
    """Ask each server for the version that this clock begins with, once it may begin."""

    worker: int
    clock: int


@final
@dataclass(frozen=True)
class Send:
    """Push an update to each server, but for those with None."""

    pushes: tuple[Push | None, ...]


@final
@dataclass(frozen=True)
class Finish:
    """Wait until each server is in a checkpoint that has all updates."""

    worker: int


Message = Join | Read | Send | Finish


@final
@dataclass
class Kept:
    """Updates that were pushed and are in no checkpoint yet, by clock, for each server."""

    pushes: dict[int, tuple[Push, ...]] = field(default_factory=dict)

    @property
    def until(self) -> int:
        """The clock after the last one; 0 where there is none."""
        return max(self.pushes, default=-1) + 1


def node(
    descent: Descent, worker: int, nodes: int, chunks: Callable[[Directions], Iterable[Chunk]], kept: Kept
) -> Generator[Message, Any, None]:
    """Go through all clocks that are left.

    Parameters
    ----------
    descent : what all do.
    worker, nodes : which node this is, of how many.
    chunks : the rows of this node, as a kernel wants them.
    kept : what was pushed before, and whatever will be.

    Raises
    ------
    PushesLost
        A server asks for updates that are not kept.
    VersionCorrupt
        What was pulled does not have the hash that its server gave it, again and again.
    """
    clocks: Sequence[int] = yield Join(worker)
    for clock in range(min(clocks), kept.until):
        if clock not in kept.pushes:
            raise PushesLost(f"clock {clock} of node {worker}")
        again = (
            push if known <= clock else None for push, known in zip(kept.pushes[clock], clocks, strict=True)
        )
        yield Send(tuple(again))
    begun = max(min(clocks), kept.until)
    if max(clocks) > max(begun, min(clocks) + 1):
        raise PushesLost(f"clocks {begun} to {max(clocks)} of node {worker}")
    for clock in range(begun, descent.last):
        versions = yield from _pulled(worker, clock)
        with np.errstate(over="ignore", invalid="ignore"):  # servers see what is not finite
            kept.pushes[clock] = _pushes(descent, worker, nodes, versions, chunks, clock)
        yield Send(kept.pushes[clock])
    yield Finish(worker)


def _pulled(worker: int, clock: int) -> Generator[Message, Any, tuple[Version, ...]]:
    """Versions whose hashes fit."""
    for attempt in range(1, _PULLS + 1):
        versions: tuple[Version, ...] = yield Read(worker, clock)
        try:
            for server, version in enumerate(versions):
                version.check(server)
            break
        except VersionCorrupt:
            if attempt == _PULLS:
                raise
    return versions


def _pushes(
    descent: Descent,
    worker: int,
    nodes: int,
    versions: Sequence[Version],
    chunks: Callable[[Directions], Iterable[Chunk]],
    clock: int,
) -> tuple[Push, ...]:
    """The updates of a clock, one for each server."""
    whole = descent.consistency.whole_clocks
    theta = np.concatenate([version.theta for version in versions], axis=1)
    factor = descent.walk.parts / descent.weights * (1.0 if whole else nodes)
    walk = replace(descent.walk, part=clock)
    kernel = Directions(descent.loss, descent.point.at(theta), descent.views, walk, descent.stepping, factor)
    direction, batch = _sums(partial_answer(kernel, chunks(kernel)), theta)
    if not whole or worker == 0:  # of all nodes together, the slope of the penalty is wanted once
        slope = descent.stepping.with_penalty(np.zeros_like(theta), theta)
        direction = direction.combine(ExactSum.of(descent.stepping.preconditioned(slope).reshape(1, -1)))
    penalty = descent.stepping.penalties(theta)
    places = np.arange(theta.size).reshape(theta.shape)
    pushes = []
    for columns, version in zip(descent.ranges, versions, strict=True):
        own = direction.at(places[:, columns])
        pushes.append(Push(worker, clock, version.number, own if whole else own.value(), batch, penalty))
    return tuple(pushes)


def _sums(partial: Partial, theta: FloatArray) -> tuple[ExactSum, ExactSum]:
    """The sums of directions, and of weights and losses; zeros where the node has no rows."""
    size, problems = theta.size, len(theta)
    flat = partial.sums
    if flat is None:
        assert partial is NOTHING or not partial.rows
        flat = ExactSum.of(np.zeros((1, size + 2 * problems)))
    return flat.at(np.arange(size)), flat.at(np.arange(size, size + 2 * problems).reshape(2, problems))
