"""The rules of servers and nodes, in many orders of events that are drawn, with deaths and repeats."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from daskml_dist.kernels import ExactSum
from daskml_dist.losses import Logistic
from daskml_dist.optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Averaging,
    Momentum,
    Nesterov,
    Optimizer,
    RMSProp,
    ScheduleFree,
)
from daskml_dist.parameter_server import (
    Consistency,
    OutOfOrder,
    Push,
    Server,
    Version,
    VersionCorrupt,
    node,
)
from daskml_dist.parameter_server.node import Join, Kept, Read
from tests.parameter_server.simulated import World, chunks, descent_of, reference, theta_of

RULES: list[Optimizer] = [
    SGD(0.05),
    Momentum(0.02, 0.8),
    Nesterov(0.02, 0.8),
    AdaGrad(0.3),
    RMSProp(0.05),
    Adam(0.1),
    AdamW(0.1),
    Averaging(SGD(0.05)),
    ScheduleFree(0.05),
]
SHARDS = ((0, 1), (2,), (3, 4))


def cut(shards: tuple[tuple[int, ...], ...] = SHARDS) -> list[list[Any]]:
    held = chunks()
    return [[held[i] for i in ids] for ids in shards]


# -- whole clocks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_bulk_synchronous_steps_are_those_of_one_machine(rule: Optimizer) -> None:
    descent = descent_of(chunks(), 0, optimizer=rule)
    expected, _ = reference(descent, chunks())
    found = theta_of(World(descent, cut()).run())
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_whole_clocks_have_the_same_bits_in_any_order_of_events(rule: Optimizer) -> None:
    """Any order, number of nodes and of servers, with nodes and servers that die and messages that repeat."""
    expected = theta_of(World(descent_of(chunks(), 0, optimizer=rule), cut()).run())
    for seed in range(4):
        descent = descent_of(chunks(), 0, servers=1 + seed % 3, optimizer=rule)
        shards = cut() if seed % 2 else cut(((4, 0), (1, 2, 3)))
        world = World(descent, shards, seed, losses=0.04, repeats=0.1, deaths=0.02, releases=0.5)
        np.testing.assert_array_equal(theta_of(world.run()), expected)


def test_a_metric_and_a_loss_that_is_no_square() -> None:
    held = [replace(chunk, y=(chunk.y > 0).astype(float)) for chunk in chunks() if chunk.y is not None]
    inverse = np.linalg.inv(0.3 * np.eye(6) + 0.1)[None]
    descent = descent_of(held, 0, servers=2, loss=Logistic(), inverse=inverse)
    expected, _ = reference(descent, held)
    found = theta_of(World(descent, [[held[i] for i in ids] for ids in SHARDS]).run())
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


# -- each update once -----------------------------------------------------------------------------


@pytest.mark.thinned(2)
@pytest.mark.parametrize("staleness", [0, 1, 3, np.inf])
def test_no_update_is_lost_or_doubled(staleness: float) -> None:
    went_back = 0
    for seed in range(24):
        descent = descent_of(chunks(), staleness, servers=1 + seed % 3)
        world = World(descent, cut(), seed, losses=0.06, repeats=0.2, deaths=0.03, releases=0.7)
        reports = world.run()
        everything = {
            (server, worker, clock): 1
            for server in range(len(reports))
            for worker in range(3)
            for clock in range(6)
        }
        assert Counter(world.applied) == everything
        assert all(report.counts.pushes == 18 for report in reports)
        assert all(report.counts.largest_staleness <= staleness for report in reports)
        assert np.isfinite(theta_of(reports)).all()
        went_back += world.counts.went_back
    assert went_back > 0  # else the worst was never tried


def test_the_checks_above_notice_a_server_that_applies_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    push = Server.push

    def twice(self: Server, one: Push) -> None:
        push(self, one)
        self.clocks[one.worker] -= 1
        push(self, one)

    monkeypatch.setattr(Server, "push", twice)
    reports = World(descent_of(chunks(), 3), cut()).run()
    assert reports[0].counts.pushes == 36


# -- how far nodes part ---------------------------------------------------------------------------


@pytest.mark.parametrize("staleness", [1, 2, 4])
def test_a_slow_node_is_waited_for(staleness: int) -> None:
    """The second node never speaks: the first one comes exactly as far as it may."""
    descent = descent_of(chunks(), staleness)
    server = Server(descent.terms(slice(0, 6)), 2)
    held = chunks()
    talk = node(descent, 0, 2, lambda kernel: held, Kept())
    message: Any = next(talk)
    reads = 0
    while True:
        if isinstance(message, Join):
            message = talk.send([server.join(0)])
        elif isinstance(message, Read):
            if not server.may_read(message.clock):
                break
            reads += 1
            message = talk.send([server.read(0, message.clock)])
        else:
            server.push(message.pushes[0])
            message = talk.send(())
    assert reads == staleness + 1
    assert server.report().counts.largest_staleness == staleness
    server.release(1)  # it is dead: nobody waits any more
    assert server.may_read(staleness + 1)
    server.join(1)
    assert not server.may_read(staleness + 1)


def test_a_lost_node_is_waited_for_where_clocks_are_whole() -> None:
    server = Server(descent_of(chunks(), 0).terms(slice(0, 6)), 2)
    server.release(1)
    assert server.may_read(0) and not server.may_read(1)


def test_asynchronous_nodes_wait_for_nobody() -> None:
    assert Consistency(np.inf).admits(1_000, [0, 5])
    assert not Consistency(np.inf).waits and Consistency(3).waits


def test_a_stale_update_counts_less() -> None:
    """Of two nodes, an update is half a step; that of a node which is nine updates behind is a tenth."""
    descent = descent_of(chunks(), np.inf)
    ones, batch = np.ones((1, 6)), ExactSum.of(np.zeros((1, 2, 1)))
    server = Server(replace(descent, rate=lambda rows, seen: 0.5).terms(slice(0, 6)), 2)
    moves = []
    for clock in range(9):
        before = server.held.theta
        server.push(Push(0, clock, server.number, ones, batch, 0.0))
        moves.append(server.held.theta - before)
    np.testing.assert_allclose(moves, -0.25)
    before = server.held.theta
    server.push(Push(1, 0, 0, ones, batch, 0.0))
    np.testing.assert_allclose(server.held.theta - before, -0.05)


# -- hashes ---------------------------------------------------------------------------------------


def test_a_version_that_was_changed_on_the_way_is_pulled_again() -> None:
    held = chunks()
    descent = descent_of(held, 0)
    server = Server(descent.terms(slice(0, 6)), 1)
    talk = node(descent, 0, 1, lambda kernel: held, Kept())
    next(talk)
    talk.send([0])
    good = server.read(0, 0)
    bad = replace(good, theta=np.nextafter(good.theta, 1.0))
    assert isinstance(talk.send([bad]), Read)
    assert isinstance(talk.send([bad]), Read)
    with pytest.raises(VersionCorrupt, match="of server 0 does not have the hash"):
        talk.send([bad])


def test_the_hash_is_that_of_number_and_parameters() -> None:
    theta = np.arange(4.0).reshape(1, 4)
    known = Version.of(7, theta)
    known.check(0)
    assert known.digest == Version.of(7, np.asfortranarray(theta)).digest
    for other in (Version(8, theta, known.digest), Version(7, -theta, known.digest)):
        with pytest.raises(VersionCorrupt):
            other.check(0)


# -- messages that must not be sent ----------------------------------------------------------------


def test_updates_come_in_order() -> None:
    server = Server(descent_of(chunks(), 3).terms(slice(0, 6)), 2)
    with pytest.raises(OutOfOrder, match="clock 2 came while 0 was to come"):
        server.push(Push(0, 2, 0, np.zeros((1, 6)), ExactSum.of(np.zeros((1, 2, 1))), 0.0))


def test_an_update_that_is_not_finite_ends_the_descent() -> None:
    server = Server(descent_of(chunks(), 3).terms(slice(0, 6)), 2)
    server.push(Push(0, 0, 0, np.full((1, 6), np.nan), ExactSum.of(np.zeros((1, 2, 1))), 0.0))
    assert not server.finite and np.isfinite(server.held.theta).all()


def test_ranges_cover_all_parameters_once() -> None:
    for servers in (1, 2, 4, 6, 50):
        ranges = descent_of(chunks(), 0, servers=servers).ranges
        assert len(ranges) == min(servers, 6)
        assert np.concatenate([np.arange(6)[columns] for columns in ranges]).tolist() == list(range(6))
