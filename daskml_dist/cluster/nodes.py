"""The loop of a node: a pure generator on one side, a line to the servers on the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from daskml_dist.cluster.blas import single_threaded_blas
from daskml_dist.kernels import Directions
from daskml_dist.parameter_server import Counts, Descent, Held, Kept, Message, Served, ServerReport, node
from daskml_dist.types import Chunk, FloatArray


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The servers want no more: a push was not finite, another server was lost, or the training ends."""


class ServersLost(Exception):  # noqa: N818 - an event, which is mended
    """Servers do not answer any more."""

    def __init__(self, which: Iterable[int]) -> None:
        self.which = tuple(which)
        super().__init__(f"servers {self.which} do not answer")


class Line(ABC):
    """Carries messages of a node to all servers."""

    @abstractmethod
    def ask(self, message: Message) -> Sequence[Any]:
        """The answers of all servers, waited for.

        Raises
        ------
        Stopped, ServersLost
            There will be no answer.
        """


def run_node(
    descent: Descent,
    worker: int,
    nodes: int,
    chunks: Callable[[Directions], Iterable[Chunk]],
    kept: Kept,
    line: Line,
) -> None:
    """Let a node say what it has to, until it is done or there are no answers."""
    talk = node(descent, worker, nodes, chunks, kept)
    with single_threaded_blas():
        answers: Sequence[Any] | None = None
        while True:
            try:
                message = talk.send(answers)
            except StopIteration:
                return
            answers = line.ask(message)


def _whole(reports: Sequence[ServerReport], clock: int) -> FloatArray:
    """The direction of a clock, of all ranges; zeros where it was not applied any more."""
    nothing = [np.zeros_like(report.places) for report in reports]
    parts = [report.directions.get(clock, zero) for report, zero in zip(reports, nothing, strict=True)]
    return np.concatenate(parts, axis=1)


def served(descent: Descent, nodes: int, reports: Sequence[ServerReport], more: Counts) -> Served:
    """What all servers say together.

    Raises
    ------
    AssertionError
        An update was lost, or applied twice.
    """
    first = reports[0]
    finite = all(report.finite for report in reports)
    counts = sum((report.counts for report in reports), more)
    expected = nodes * (descent.last - descent.first)
    if finite and any(report.counts.pushes != expected for report in reports):
        told = [report.counts.pushes for report in reports]
        raise AssertionError(f"{expected} updates were made and {told} applied by the servers")
    clocks = sorted(first.batches)
    return Served(
        Held.side_by_side([report.held for report in reports]),
        tuple(first.batches[clock] for clock in clocks),
        tuple(_whole(reports, clock) for clock in clocks),
        np.concatenate([report.places for report in reports], axis=1),
        tuple(first.penalties.get(clock, 0.0) for clock in clocks),
        finite,
        tuple(report.digest for report in reports),
        counts,
    )
