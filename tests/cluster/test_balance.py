"""Work moves from slow workers, to new ones and from those that leave; the bits never change."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import dask
import dask.array as da
import pytest
from distributed import Client, LocalCluster, wait

from daskml_dist import Placement
from daskml_dist.cluster import late
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.monitor import TOPIC, messages
from daskml_dist.partition import BALANCED
from tests.cluster import slowness
from tests.cluster.nemesis import at_question, bits, seeded, train, until, whole
from tests.cluster.slowness import slow_down, workers

pytestmark = pytest.mark.timeout(600)

WORKERS = 4
ROWS, CHUNK = 32_000, 1_000


@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.slow)])
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """Workers to slow down, to add and to retire: in this process, which spares imports, or in their own.

    Dask drops second copies all the time, so that what a move leaves behind is not for want of a clash.
    """
    with (
        dask.config.set(
            {
                "distributed.deploy.lost-worker-timeout": "1s",
                "distributed.scheduler.active-memory-manager.interval": "10ms",
            }
        ),
        LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            processes=request.param,
            memory_limit="2GiB",
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as running,
    ):
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as connected:
        assert until(lambda: whole(cluster, connected, WORKERS), 100)
        yield connected
        connected.run(slowness.restore)


@pytest.fixture(scope="module")
def expected() -> tuple[bytes, bytes, int]:
    X, labels, _ = seeded(ROWS, CHUNK)
    return bits(train("threads", X, labels))


def held(client: Client) -> tuple[Any, Any]:
    """Data in the memory of the workers, the same number of rows on each of them."""
    parts: list[Any] = []
    for data in seeded(ROWS, CHUNK)[:2]:
        cut = [data[i * ROWS // WORKERS : (i + 1) * ROWS // WORKERS] for i in range(WORKERS)]
        there = [
            client.persist(part, workers=[worker]) for part, worker in zip(cut, workers(client), strict=True)
        ]
        wait(there, timeout=200)
        parts.append(client.persist(da.concatenate(there)))
    wait(parts, timeout=200)
    return parts[0], parts[1]


def test_a_slow_worker_is_relieved_once(
    client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one re-plan the busy times are balanced; blocks are where they are used, and nowhere else."""
    X, labels = held(client)
    slowest = workers(client)[0]
    slow_down(client, {slowest: 4.0})
    weighed: list[float] = []
    hands = at_question(4, lambda: weighed.extend(hands[0]._sizes()), monkeypatch)
    found = train(client, X, labels)
    assert bits(found) == expected
    assert sum(weighed) >= X.nbytes + labels.nbytes, "what a move transfers"
    assert found.decisions and {d["kind"] for d in found.decisions} == {"slow"}
    assert {d["source"] for d in found.decisions} == {slowest}
    assert len({d["sweeps"] for d in found.decisions}) == 1, "one re-plan is enough"
    assert hands[0].planner.pace.imbalance <= BALANCED
    expected_gain = sum(d["expected_gain"] for d in found.decisions)
    assert sum(d["measured_gain"] for d in found.decisions) == pytest.approx(expected_gain, rel=0.02)
    told = [message for message in messages(client.get_events(TOPIC)) if message["event"] == "decision"]
    last = {m["decision"]: (m["why"], m["measured_gain"]) for m in told}
    assert last == {d["number"]: (d["why"], d["measured_gain"]) for d in found.decisions}
    moved = {chunk for d in found.decisions for chunk in d["chunks"]}
    places = client.who_has(X)
    assert {len(where) for where in places.values()} == {1}
    assert all(slowest not in where for key, where in places.items() if key[1] in moved)


def test_nothing_moves_where_the_user_says_so(client: Client, expected: Any) -> None:
    X, labels = held(client)
    before = {key: set(where) for key, where in client.who_has(X).items()}
    slow_down(client, {workers(client)[0]: 4.0})
    found = train(Placement(client, replan=False, backup=False), X, labels)
    assert bits(found) == expected
    assert found.decisions == []
    assert {key: set(where) for key, where in client.who_has(X).items()} == before


def test_a_worker_that_arrives_gets_work(
    client: Client, cluster: LocalCluster, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, labels = held(client)
    there = workers(client)
    slow_down(client, {})

    def arrive() -> None:
        cluster.scale(WORKERS + 1)
        assert until(lambda: len(workers(client)) > WORKERS)
        slow_down(client, {})

    hands = at_question(4, arrive, monkeypatch)
    found = train(client, X, labels)
    assert bits(found) == expected
    [new] = set(workers(client)) - set(there)
    assert {(d["kind"], d["target"]) for d in found.decisions} == {("idle", new)}
    assert hands[0].planner.pace.imbalance <= BALANCED


def test_a_worker_that_is_retired_leaves_quietly(
    client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it held has moved before it goes: nothing fails, and nothing is made anew."""
    X, labels = held(client)
    leaving = workers(client)[-1]
    slow_down(client, {})
    hands = at_question(4, lambda: client.retire_workers([leaving]), monkeypatch)
    found = train(client, X, labels)
    assert bits(found) == expected
    assert hands[0].supervisor.repairs == []
    assert {d["source"] for d in found.decisions if d["kind"] == "left"} == {leaving}
    assert leaving not in hands[0].plan.owners


def test_late_work_is_started_once_more(
    client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies answer first, and to the same bits; afterwards no block is held twice."""
    monkeypatch.setattr(late, "LEAST", 0.2)
    X, labels = held(client)
    slowest = workers(client)[0]

    def stall() -> None:
        client.run(slowness.stall_once, slowest, 6.0)

    hands = at_question(4, stall, monkeypatch)
    found = train(Placement(client, replan=False), X, labels)
    assert bits(found) == expected
    copies = [d for d in found.decisions if d["source"] == slowest]
    assert ("backup", "the copy was first") in {(d["kind"], d["outcome"]) for d in copies}
    plan = hands[0].plan
    late_ones = plan.shards[plan.owners.index(slowest)]
    first = [d for d in copies if d["sweeps"] == copies[0]["sweeps"]]
    assert sorted(chunk for d in first for chunk in d["chunks"]) == list(late_ones)
    assert hands[0].supervisor.repairs == []
    assert until(lambda: {len(where) for where in client.who_has(X).values()} == {1})


def test_resources_say_who_works(client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    able = workers(client)[:2]
    client.run(_equip, 1.0, workers=able)
    X, labels = held(client)
    try:
        assert until(lambda: _equipped(client) == able)
        hands = at_question(0, lambda: None, monkeypatch)
        found = train(Placement(client, by="resources", resources={"GPU": 1}), X, labels)
        assert bits(found) == expected
        assert set(hands[0].plan.owners) == set(able)
        assert {d["kind"] for d in found.decisions} == {"placed"}
        with pytest.raises(UnsupportedParameter, match=rf"FPGA.*{able[0]} offers {{'GPU': 1.0}}"):
            train(Placement(client, resources={"FPGA": 1}), X, labels)
    finally:
        client.run(_equip, 0.0, workers=able)


async def _equip(gpus: float, dask_worker: Any) -> None:
    await dask_worker.set_resources(GPU=gpus)


def _equipped(client: Client) -> list[str]:
    infos = client.scheduler_info(n_workers=-1)["workers"]
    return sorted(worker for worker, info in infos.items() if info["resources"].get("GPU"))


@pytest.mark.slow
def test_streamed_chunks_move_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are recipes: nothing is transferred, and each is loaded by another worker from then on."""
    monkeypatch.setattr("daskml_dist.cluster.memory.RESIDENT_SHARE", 1e-9)
    X, labels, _ = seeded(ROWS, CHUNK)
    slow_down(client, {workers(client)[0]: 4.0})
    still = train(Placement(client, replan=False, backup=False), X, labels)
    hands = at_question(0, lambda: None, monkeypatch)
    found = train(client, X, labels)
    assert bits(found) == bits(still) and still.decisions == []
    assert {d["kind"] for d in found.decisions} == {"slow"}
    assert hands[0].planner.pace.imbalance <= BALANCED
