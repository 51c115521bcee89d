"""One server: a range of the parameters, the clocks of the nodes, and what is applied when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.kernels import ExactSum, averaged
from daskml_dist.parameter_server.consistency import behind
from daskml_dist.parameter_server.descent import Held, Terms
from daskml_dist.parameter_server.push import Push
from daskml_dist.parameter_server.reports import Counts, exact_total
from daskml_dist.parameter_server.version import Version
from daskml_dist.types import FloatArray


class OutOfOrder(Exception):  # noqa: N818 - a message that a node must not have sent
    """A node pushed a clock before an earlier one, or asked for a version that is gone."""


@final
@dataclass(frozen=True)
class ServerReport:
    """What a server says at the end: what it holds, what it was told of each clock, and what it counted."""

    held: Held
    batches: Mapping[int, FloatArray]
    directions: Mapping[int, FloatArray]
    places: FloatArray
    penalties: Mapping[int, float]
    finite: bool
    digest: int
    counts: Counts


@final
class Server:
    """Holds a range of the parameters, and applies each update of each node once.

    It waits for nobody: ``may_read`` says whether a node has to.
    """

    def __init__(self, terms: Terms, nodes: int) -> None:
        self.terms, self.nodes = terms, nodes
        self.held, self.number, self.finite = terms.held, 0, True
        self.clocks = [terms.first] * nodes
        self._counting = set(range(nodes))  # the nodes whose clocks are not released
        self._waiting: dict[int, list[Push]] = {}  # pushes of clocks that are not whole
        self._batches: dict[int, ExactSum] = {}
        self._directions: dict[int, FloatArray] = {}  # of clocks, the mean of those of all nodes
        self._places = np.zeros_like(terms.held.theta)  # summed up likewise, where directions were followed
        self._penalties: dict[int, float] = {}
        self._staleness: Counter[int] = Counter()
        self._pushes, self._duplicates, self._released, self._bytes = 0, 0, 0, 0
        self._version = self._before = self._made()

    # -- clocks -----------------------------------------------------------------------------------

    def join(self, worker: int) -> int:
        """The next clock of a node that begins, or begins again; it counts from now on."""
        self._counting.add(worker)
        return self.clocks[worker]

    def release(self, worker: int) -> None:
        """Let nobody wait for a node that is lost. A clock that must be whole waits until it is back."""
        if worker in self._counting and self.clocks[worker] < self.terms.last:
            self._counting.discard(worker)
            self._released += 1

    @property
    def complete(self) -> bool:
        """Whether all updates of all nodes are applied."""
        return min(self.clocks) == self.terms.last

    # -- pulls ------------------------------------------------------------------------------------

    def may_read(self, clock: int) -> bool:
        """Whether a node may begin a clock."""
        if self.terms.consistency.whole_clocks:
            return self.number >= clock - self.terms.first
        return self.terms.consistency.admits(clock, self._those_that_count())

    def read(self, worker: int, clock: int) -> Version:
        """The version that a node begins a clock with; ask ``may_read`` before."""
        self._counting.add(worker)
        version = self._version
        if self.terms.consistency.whole_clocks and self.number != clock - self.terms.first:
            version = self._before  # the node was lost between its pushes to this server and to another one
            if version.number != clock - self.terms.first:
                raise OutOfOrder(f"clock {clock} was asked for, and version {self.number} is held")
        self._staleness[behind(clock, self._those_that_count())] += 1
        self._bytes += version.theta.nbytes
        return version

    def _those_that_count(self) -> list[int]:
        return [self.clocks[worker] for worker in self._counting]

    # -- pushes -----------------------------------------------------------------------------------

    def push(self, push: Push) -> None:
        """Apply an update, now or when its clock is whole; nothing where it was applied before."""
        self._bytes += push.nbytes
        if push.clock < self.clocks[push.worker]:
            self._duplicates += 1
            return
        if push.clock > self.clocks[push.worker]:
            raise OutOfOrder(f"clock {push.clock} came while {self.clocks[push.worker]} was to come")
        self.clocks[push.worker] += 1
        self._pushes += 1
        self._note(push)
        if not push.finite:
            self.finite = False
        if not self.finite:
            return
        if not self.terms.consistency.whole_clocks:
            self._apply_now(push)
            return
        waiting = self._waiting.setdefault(push.clock, [])
        waiting.append(push)
        if len(waiting) == self.nodes:
            self._apply_together(self._waiting.pop(push.clock))

    def _note(self, push: Push) -> None:
        known = self._batches.get(push.clock)
        self._batches[push.clock] = push.batch if known is None else known.combine(push.batch)
        if push.worker == 0:
            self._penalties[push.clock] = push.penalty

    def _apply_together(self, pushes: list[Push]) -> None:
        """One step by what all nodes pushed at a clock."""
        direction = exact_total([push.direction for push in pushes if isinstance(push.direction, ExactSum)])
        terms = self.terms
        seen = self.held.seen + terms.rows
        rate = None if terms.rate is None else terms.rate(terms.rows, seen)
        whole = direction.value()
        self._directions[pushes[0].clock] = whole
        self._places = self._places + self._version.theta
        self._apply(whole, rate, seen)

    def _apply_now(self, push: Push) -> None:
        """A step by what one node pushed: one of as many as there are nodes, shorter where it is staler."""
        assert isinstance(push.direction, np.ndarray)
        terms = self.terms
        stale = self.number - push.read
        parts = max(self.nodes, 1 + stale)
        seen = self.held.seen + terms.rows / self.nodes
        known = self._directions.get(push.clock, 0.0)
        self._directions[push.clock] = known + push.direction / self.nodes
        self._places = self._places + self._version.theta / self.nodes
        if terms.rate is None:
            self._apply(push.direction * (self.nodes / parts), None, seen)
        else:
            self._apply(push.direction, terms.rate(terms.rows, seen) / parts, seen)

    def _apply(self, direction: FloatArray, rate: float | None, seen: float) -> None:
        held, terms = self.held, self.terms
        with np.errstate(over="ignore", invalid="ignore"):
            theta, memory = terms.stepping.along(held.theta, direction, held.memory, rate)
            self.held = replace(held, theta=theta, memory=memory, seen=seen)
            if terms.average is not None and seen >= terms.average[1]:
                model = terms.stepping.optimizer.model(memory, theta)
                mean = averaged(held.mean, held.averaged, model, terms.average[0])
                self.held = replace(self.held, mean=mean, averaged=held.averaged + 1.0)
        self.number += 1
        self._before, self._version = self._version, self._made()
        self.finite = bool(np.isfinite(theta).all())

    def _made(self) -> Version:
        held = self.held
        return Version.of(self.number, self.terms.stepping.optimizer.at(held.memory, held.theta))

    # -- the end ----------------------------------------------------------------------------------

    def report(self) -> ServerReport:
        """What is held, and what was counted."""
        counts = Counts(self._pushes, self._duplicates, dict(self._staleness), self._released, self._bytes)
        batches = {clock: total.value() for clock, total in self._batches.items()}
        return ServerReport(
            self.held,
            batches,
            dict(self._directions),
            self._places,
            dict(self._penalties),
            self.finite,
            self._version.digest,
            counts,
        )
