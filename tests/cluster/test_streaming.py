"""Data larger than the cluster's memory: loaded chunk by chunk in each pass, and no more often than that."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

from daskml_dist.cluster.memory import RESIDENT_SHARE
from daskml_dist.errors import InvalidData
from daskml_dist.linear_model import LogisticRegression, Ridge
from tests.cluster.nemesis import Counter, own_cluster, seeded, until

pytestmark = pytest.mark.timeout(600)

FEATURES = 32
ROWS = 30_000  # of a chunk, which takes 7.3 MiB
CHUNKS = 100
LIMIT = 500 * 2**20  # of each of two workers; importing Dask, NumPy and SciPy takes half of it
GLIMPSED = 8  # chunks that a first look may load once more


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers that cannot hold the data."""
    with own_cluster(2, memory_limit=str(LIMIT)) as running:
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as connected:
        connected.wait_for_workers(2, timeout=120)
        yield connected


def rows_of_x(number: int, rows: int, folder: str | None) -> np.ndarray:
    """A chunk of X, which can be made as often as one likes, and is counted."""
    if folder is not None:
        Counter(Path(folder)).count(str(number))
    return np.random.Generator(np.random.SFC64([number, 0])).random((rows, FEATURES)) - 0.5


def labels_of(number: int, rows: int) -> np.ndarray:
    """The labels that belong to it, without its making."""
    x = np.random.Generator(np.random.SFC64([number, 0])).random((rows, FEATURES))[:, :3] - 0.5
    noise = np.random.Generator(np.random.SFC64([number, 1])).random(rows) - 0.5
    return (x.sum(axis=1) + noise > 0).astype(np.int64)


def chunked(chunks: int, rows: int, folder: Path | None) -> tuple[Any, Any]:
    """X and y, of one task a block."""
    where = None if folder is None else str(folder)

    def block(block_info: Any = None) -> np.ndarray:
        return rows_of_x(block_info[None]["chunk-location"][0], rows, where)

    def label(block_info: Any = None) -> np.ndarray:
        return labels_of(block_info[None]["chunk-location"][0], rows)

    cut = (rows,) * chunks
    return (
        da.map_blocks(block, chunks=(cut, (FEATURES,)), dtype=float, meta=np.empty((0, 0))),
        da.map_blocks(label, chunks=(cut,), dtype=np.int64, meta=np.empty(0, np.int64)),
    )


def highest(kind: str = "VmHWM") -> int:
    """Peak bytes of memory of this process."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith(kind))


def check_loads(counter: Counter, chunks: int, passes: int) -> None:
    """Every chunk was loaded once a pass; the first ones perhaps once more."""
    counts = counter.counts()
    assert set(counts) == {str(i) for i in range(chunks)}
    assert {counts[str(i)] for i in range(GLIMPSED, chunks)} == {passes}, counts
    assert {counts[str(i)] for i in range(GLIMPSED)} <= {passes, passes + 1}, counts


@pytest.mark.parametrize(
    "model",
    [pytest.param(model, marks=pytest.mark.slow) for model in (LogisticRegression, Ridge)],
    ids=lambda model: model.__name__,
)
def test_more_data_than_memory(
    model: type, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    X, y = chunked(CHUNKS, ROWS, there)
    assert X.nbytes > 1.2 * RESIDENT_SHARE * 2 * LIMIT
    before = set(client.scheduler_info(n_workers=-1)["workers"])
    streamed = model(verbose=0, scheduler=client).fit(X, y)
    check_loads(Counter(there), CHUNKS, streamed.n_passes_)
    assert set(client.scheduler_info(n_workers=-1)["workers"]) == before, "a worker died"
    assert max(client.run(highest).values()) < LIMIT
    gc.collect()
    assert until(lambda: not any(client.has_what().values()))

    monkeypatch.setattr("daskml_dist.cluster.in_process.process_limit", lambda: 1)
    expected = model(verbose=0, scheduler="threads").fit(*chunked(CHUNKS, ROWS, here))
    check_loads(Counter(here), CHUNKS, expected.n_passes_)
    assert streamed.coef_.tobytes() == expected.coef_.tobytes()
    assert streamed.n_passes_ == expected.n_passes_


@pytest.mark.parametrize("model", [LogisticRegression, Ridge], ids=lambda model: model.__name__)
def test_streaming_on_a_cluster_and_in_threads_give_the_same_bits(
    model: type, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daskml_dist.cluster.in_process.process_limit", lambda: 1)
    monkeypatch.setattr("daskml_dist.cluster.memory.RESIDENT_SHARE", 1e-6)
    found = []
    for name, scheduler in (("threads", "threads"), ("cluster", client)):
        folder = tmp_path / name
        folder.mkdir()
        fitted = model(verbose=0, tol=1e-9, scheduler=scheduler).fit(*chunked(12, 1_000, folder))
        check_loads(Counter(folder), 12, fitted.n_passes_)
        found.append((fitted.coef_.tobytes(), fitted.n_passes_, fitted.gap_))
    assert found[0] == found[1]


def test_streaming_in_this_process_finds_what_memory_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    X, labels, _ = seeded()
    resident = LogisticRegression(verbose=0, scheduler="threads", tol=1e-12).fit(X, labels)
    monkeypatch.setattr("daskml_dist.cluster.in_process.process_limit", lambda: 1)
    streamed = LogisticRegression(verbose=0, scheduler="threads", tol=1e-12).fit(X, labels)
    np.testing.assert_allclose(streamed.coef_, resident.coef_, rtol=1e-6)


def test_chunks_that_no_worker_can_hold(client: Client) -> None:
    """They are refused before they are made."""
    rows = int(0.6 * LIMIT) // (8 * FEATURES)
    X, y = chunked(4, rows, None)
    with pytest.raises(InvalidData, match=r"chunks of up to \d+ MiB.* rechunk X to fewer rows a chunk"):
        LogisticRegression(verbose=0, scheduler=client).fit(X, y)
    assert len(client.scheduler_info(n_workers=-1)["workers"]) == 2
