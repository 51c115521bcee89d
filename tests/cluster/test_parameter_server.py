"""Servers of parameters on a cluster: the bits of threads, and no update lost or doubled whoever dies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from daskml_dist.cluster import on_dask
from daskml_dist.cluster.served_there import Serving
from daskml_dist.linear_model import LogisticRegression, SGDClassifier
from tests.cluster.nemesis import PATIENT, Nemesis, kill, own_cluster, pids, until, whole, whole_client

KILLS = int(os.environ.get("CHAOS_KILLS", "20"))
EPOCHS, STEPS = 2, 100
ALPHA = 1e-3
MODES: dict[str, dict[str, Any]] = {
    "bulk": {"consistency": "bulk_synchronous"},
    "bulk, three servers": {"consistency": "bulk_synchronous", "servers": 3},
    "bulk, two servers": {"consistency": "bulk_synchronous", "servers": 2},
    "stale": {"staleness": 2},
    "stale, three servers": {"staleness": 2, "servers": 3},
    "asynchronous": {"consistency": "asynchronous"},
}

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:Nodes and servers of parameters were lost together"),
]


def make(seed: int, block_info: Any = None) -> np.ndarray:
    rng = np.random.default_rng([seed, block_info[None]["chunk-location"][0]])
    return rng.standard_normal(block_info[None]["chunk-shape"])


def data(pieces: int = 10) -> tuple[Any, Any]:
    """Made on the workers from seeds, so that it can be made again."""
    rows = (4_000 // pieces,) * pieces
    X = da.map_blocks(make, 7, chunks=(rows, (6,)), dtype=float, meta=np.empty((0, 0)))
    noise = da.map_blocks(make, 8, chunks=(rows,), dtype=float, meta=np.empty(0))
    return X, (X.sum(axis=1) + noise > 0.0).astype(int)


def train(pieces: int = 10, **settings: Any) -> SGDClassifier:
    model = SGDClassifier(
        "log_loss",
        alpha=ALPHA,
        strategy="parameter_server",
        max_iter=EPOCHS,
        tol=None,
        batch_size=4_000 // STEPS,
        random_state=0,
        verbose=0,
        **settings,
    )
    return model.fit(*data(pieces))


def objective(model: Any, pieces: int = 10) -> float:
    X, y = (np.asarray(part) for part in data(pieces))
    z = X @ model.coef_[0] + model.intercept_[0]
    return float(np.logaddexp(0.0, np.where(y == 1, -z, z)).mean() + 0.5 * ALPHA * np.sum(model.coef_**2))


@pytest.fixture(scope="module")
def bulk() -> SGDClassifier:
    return train(consistency="bulk_synchronous", scheduler="threads")


@pytest.fixture(scope="module")
def best() -> float:
    X, y = data()
    return objective(
        LogisticRegression(C=1 / (ALPHA * 4_000), tol=1e-10, verbose=0, scheduler="threads").fit(X, y)
    )


def check(
    model: SGDClassifier, mode: str, bulk: SGDClassifier, best: float, nodes: int | None = None
) -> None:
    """The bits where clocks are whole; each update once and none too stale in any mode."""
    if MODES[mode].get("consistency") == "bulk_synchronous":
        np.testing.assert_array_equal(model.coef_, bulk.coef_)
        np.testing.assert_array_equal(model.intercept_, bulk.intercept_)
    of_all_nodes = EPOCHS * STEPS * MODES[mode].get("servers", 1)
    assert model.served_["pushes"] % of_all_nodes == 0 and model.served_["pushes"] > 0
    if nodes is not None:
        assert model.served_["pushes"] == nodes * of_all_nodes
    if "staleness" in MODES[mode]:
        assert model.served_["largest_staleness"] <= MODES[mode]["staleness"]
    assert objective(model) < (1.0 + 1e-2) * best


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "mode",
    [
        *(pytest.param(mode, marks=SLOW) for mode in MODES if mode != "asynchronous"),
        "asynchronous",
    ],
)
def test_a_cluster(mode: str, client: Client, bulk: SGDClassifier, best: float) -> None:
    check(train(**MODES[mode]), mode, bulk, best, nodes=2)


@pytest.mark.slow
def test_a_step_more_is_noticed(client: Client, bulk: SGDClassifier, best: float) -> None:
    """The lie."""
    with pytest.raises(AssertionError):
        check(train(consistency="bulk_synchronous", average=True), "bulk", bulk, best)


# -- deaths ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A cluster of this file's own, since its workers are killed."""
    with own_cluster() as running:
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with whole_client(cluster) as connected:
        yield connected


def at_clock(clock: int, act: Callable[[Serving], None], monkeypatch: pytest.MonkeyPatch) -> list[Serving]:
    """Act once, as soon as some node has pushed so many clocks; the servings that were seen."""
    seen: list[Serving] = []
    look = Serving._call

    def disturbed(self: Serving, call: Any) -> Any:
        told = look(self, call)
        if max(self._pushed, default=0) >= clock and not seen:
            seen.append(self)
            act(self)
        return told

    monkeypatch.setattr(Serving, "_call", disturbed)
    return seen


def host(serving: Serving, server: int) -> str:
    return str(serving._actors[server]._address)


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks are looked at often."""
    patience = replace(PATIENT, tick=0.02)
    monkeypatch.setattr(on_dask, "Patience", lambda: patience)


@pytest.mark.parametrize("mode", ["bulk", pytest.param("stale", marks=SLOW)])
@pytest.mark.usefixtures("watchful")
def test_a_server_and_a_node_die_together(
    mode: str, client: Client, bulk: SGDClassifier, best: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All goes back to the checkpoint, and says so."""
    seen = at_clock(5, lambda serving: kill(pids(client)[host(serving, 0)]), monkeypatch)
    with pytest.warns(UserWarning, match="lost together 1 time.*went back to the checkpoint"):
        model = train(**MODES[mode])
    check(model, mode, bulk, best)
    assert model.served_["went_back"] == 1
    assert any("went back to the checkpoint" in repair for repair in seen[0].supervisor.repairs)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["bulk, three servers", "stale, three servers"])
@pytest.mark.usefixtures("watchful")
def test_a_server_dies_alone(
    mode: str, client: Client, cluster: LocalCluster, best: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made anew from what nodes have kept: nothing goes back, and nothing is lost."""
    expected = train(**MODES[mode], pieces=2, scheduler="threads")
    assert until(lambda: whole(cluster, client, 3), seconds=200)

    def strike(serving: Serving) -> None:
        alone = [server for server in range(3) if host(serving, server) not in serving.owners]
        assert len(alone) == 1
        kill(pids(client)[host(serving, alone[0])])

    at_clock(5, strike, monkeypatch)
    model = train(**MODES[mode], pieces=2)
    check(model, mode, expected, best, nodes=2)
    assert model.served_["restored"] == 1 and model.served_["went_back"] == 0


@pytest.mark.slow
@pytest.mark.usefixtures("watchful")
def test_a_node_dies_alone(
    client: Client, bulk: SGDClassifier, best: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker takes its clock over."""

    def strike(serving: Serving) -> None:
        others = [address for address in serving.owners if address != host(serving, 0)]
        kill(pids(client)[others[0]])

    at_clock(5, strike, monkeypatch)
    model = train(**MODES["bulk"])
    check(model, "bulk", bulk, best, nodes=2)
    assert model.served_["restored"] == model.served_["went_back"] == 0


def haunt(client: Client, cluster: LocalCluster, mode: str, seed: int, kills: int, check_it: Any) -> None:
    """Train again and again until so many workers were killed."""
    with Nemesis(client, seed, 2.0, 6.0) as nemesis:  # a death costs it more than a pass
        while nemesis.kills < kills:
            check_it(train(**MODES[mode]))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["bulk, two servers", "stale"])
def test_deaths_at_any_time(
    mode: str, client: Client, cluster: LocalCluster, bulk: SGDClassifier, best: float
) -> None:
    haunt(client, cluster, mode, 1, 2, lambda model: check(model, mode, bulk, best))


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", [1, 2])
def test_many_deaths(
    mode: str, seed: int, client: Client, cluster: LocalCluster, bulk: SGDClassifier, best: float
) -> None:
    haunt(client, cluster, mode, seed, KILLS, lambda model: check(model, mode, bulk, best))
