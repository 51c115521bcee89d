"""Nodes and servers in one thread, in any order, with whatever can go wrong: who speaks next is drawn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from daskml_dist.kernels import Point, Stepping, View, Walk, batch_of, rows_of
from daskml_dist.losses import Loss, Squared
from daskml_dist.optimizers import SGD, Optimizer, OptimizerState
from daskml_dist.parameter_server import (
    Consistency,
    Counts,
    Descent,
    Finish,
    Held,
    Join,
    Kept,
    Message,
    PushesLost,
    Read,
    Send,
    Server,
    ServerReport,
    node,
)
from daskml_dist.penalties import L2
from daskml_dist.types import Chunk

RATE = 0.05


def chunks(
    n: int = 240, p: int = 5, sizes: Sequence[int] = (40, 10, 70, 60, 60), seed: int = 0
) -> list[Chunk]:
    """Rows of a linear model with noise."""
    rng = np.random.default_rng(0)
    X = [rng.standard_normal((size, p)) for size in sizes]
    truth = np.arange(1.0, p + 1.0)
    return [Chunk(i, x, x @ truth + 0.5 + 0.1 * rng.standard_normal(len(x))) for i, x in enumerate(X)]


def descent_of(
    held: list[Chunk],
    staleness: float,
    servers: int = 1,
    steps: int = 6,
    optimizer: Optimizer | None = None,
    loss: Loss | None = None,
    inverse: Any = None,
) -> Descent:
    """Steps over these chunks from zero, with a learning rate of its own or that of an optimizer."""
    assert held[0].X is not None
    p = held[0].X.shape[1]
    rows = float(sum(chunk.y.size for chunk in held if chunk.y is not None))
    point = Point(np.zeros((1, p)), np.zeros(1), np.zeros(p), True)
    rule = optimizer or SGD(RATE)
    theta = np.zeros((1, p + 1))
    metric = np.empty((1, 0)) if inverse is None else inverse
    return Descent(
        loss=loss or Squared(),
        point=point,
        views=(View(),),
        weights=np.array([rows]),
        walk=Walk(seed=3, parts=steps),
        stepping=Stepping(L2(0.1), p, metric, rule),
        held=Held(theta, theta, 0.0, rule.init(theta), 0.0),
        first=0,
        last=steps,
        rows=rows,
        rate=None,
        average=(1.0, 0.0),
        consistency=Consistency(staleness),
        servers=servers,
    )


@dataclass
class World:
    """All that happens, one message at a time.

    ``losses`` : the share of messages at which a node dies; ``repeats`` : that are carried twice;
    ``deaths`` : at which a server dies.
    """

    descent: Descent
    shards: list[list[Chunk]]
    seed: int = 0
    losses: float = 0.0
    repeats: float = 0.0
    deaths: float = 0.0
    releases: float = 0.0
    applied: list[tuple[int, int, int]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def run(self) -> list[ServerReport]:
        """Until all are done; from the checkpoint again where too much was lost."""
        self._random = random.Random(self.seed)
        while True:
            try:
                return self._attempt()
            except PushesLost:
                self.counts += Counts(went_back=1)
                self.deaths, self.losses = self.deaths / 2, self.losses / 2

    def _attempt(self) -> list[ServerReport]:
        nodes = len(self.shards)
        self.applied.clear()
        self.servers = [self._server(columns) for columns in self.descent.ranges]
        self.talks: dict[int, Any] = {}
        self.waiting: dict[int, Message] = {}
        for worker in range(nodes):
            self._begin(worker, Kept())
        while self.waiting:
            worker = self._random.choice(sorted(self.waiting))
            if self._random.random() < self.deaths:
                self._server_dies()
            elif self._random.random() < self.losses:
                self._node_dies(worker)
            else:
                self._carry(worker)
        return [server.report() for server in self.servers]

    def _server(self, columns: slice) -> Server:
        return Server(self.descent.terms(columns), len(self.shards))

    def _begin(self, worker: int, kept: Kept) -> None:
        own = self.shards[worker]
        talk = node(self.descent, worker, len(self.shards), lambda kernel: own, kept)
        self.talks[worker] = (talk, kept)
        self.waiting[worker] = next(talk)

    def _node_dies(self, worker: int) -> None:
        """What it kept is gone; its clock may be released, and it begins again."""
        for server in self.servers:
            if self._random.random() < self.releases:
                server.release(worker)
        self._begin(worker, Kept())

    def _server_dies(self) -> None:
        """It is made anew at the checkpoint, and nodes that live say again what they kept."""
        which = self._random.randrange(len(self.servers))
        self.servers[which] = self._server(self.descent.ranges[which])
        self.applied[:] = [one for one in self.applied if one[0] != which]
        for worker, (_, kept) in list(self.talks.items()):
            self._begin(worker, kept)

    def _carry(self, worker: int) -> None:
        message = self.waiting[worker]
        match message:
            case Join():
                answers: Any = [server.join(worker) for server in self.servers]
            case Read(_, clock):
                if not all(server.may_read(clock) for server in self.servers):
                    return
                answers = [server.read(worker, clock) for server in self.servers]
            case Send(pushes):
                for number, (server, push) in enumerate(zip(self.servers, pushes, strict=True)):
                    if push is not None:
                        before = server.clocks[worker]
                        server.push(push)
                        if self._random.random() < self.repeats:
                            server.push(push)
                        if server.clocks[worker] > before:
                            self.applied.append((number, worker, push.clock))
                        if self._random.random() < self.losses:  # between two servers
                            self._node_dies(worker)
                            return
                answers = ()
            case Finish():
                if not all(server.complete for server in self.servers):
                    return
                del self.waiting[worker]
                return
        self.waiting[worker] = self.talks[worker][0].send(answers)


def theta_of(reports: Sequence[ServerReport]) -> Any:
    """All parameters."""
    return Held.side_by_side([report.held for report in reports]).theta


def reference(descent: Descent, held: list[Chunk]) -> tuple[Any, OptimizerState]:
    """The same steps, written out: minibatches of all rows, one after the other."""
    theta, memory = descent.held.theta, descent.held.memory
    optimizer = descent.stepping.optimizer
    for clock in range(descent.first, descent.last):
        walk = replace(descent.walk, part=clock)
        at = optimizer.at(memory, theta)
        slope = np.zeros_like(theta)
        for chunk in held:
            assert chunk.X is not None
            few = rows_of(chunk, walk.rows(chunk.id, chunk.X.shape[0]))
            slope += batch_of(descent.loss, descent.point.at(at), [few]).gradient
        gradient = descent.stepping.with_penalty(slope * walk.parts / descent.weights[:, None], at)
        theta, memory = descent.stepping.moved(theta, gradient, memory, None)
    return theta, memory
