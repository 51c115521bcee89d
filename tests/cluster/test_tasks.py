"""What a fit costs the scheduler: a few tasks a pass, small partials, and no data that move or stay."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, wait

from tests.cluster.nemesis import Counter, blocks, seeded, train, until

pytestmark = pytest.mark.timeout(600)

ROWS, THREADS = 2**14, 2
PREFIX = "daskml-dist"


def cut(chunks: int) -> tuple[Any, Any]:
    """The same rows in that many chunks, more or less."""
    X, labels, _ = seeded(ROWS, 2**10)
    X, labels = X.rechunk((ROWS // chunks, -1)), labels.rechunk(ROWS // chunks)
    return X, labels


def held(client: Client, *arrays: Any) -> tuple[Any, Any]:
    """Arrays on the workers."""
    persisted = client.persist(list(arrays))
    wait(persisted, timeout=200)
    return tuple(persisted)  # type: ignore[return-value]


def own_keys(client: Client) -> list[str]:
    """The keys of this library that the scheduler still knows."""

    def look(dask_scheduler: Any, prefix: str) -> list[str]:
        return [str(key) for key in dask_scheduler.tasks if str(key).startswith(prefix)]

    found: list[str] = client.run_on_scheduler(look, prefix=PREFIX)
    return found


@pytest.mark.slow
def test_more_chunks_are_not_more_tasks(client: Client) -> None:
    moved = {}
    for chunks in (16, 1024):
        X, labels = held(client, *cut(chunks))
        before = {key: set(where) for key, where in client.who_has(X).items()}
        found = train(client, X, labels, solver="auto", tol=1e-6)
        assert {row["tasks"] for row in found.history} <= set(range(1, 2 * THREADS + 1)), chunks
        # all tasks but the last one send a partial
        moved[chunks] = max(row["partial_bytes"] / max(row["tasks"] - 1, 1) for row in found.history)
        gc.collect()
        assert until(lambda: not own_keys(client)), own_keys(client)
        after = {key: set(where) for key, where in client.who_has(X).items()}
        assert after == before, "blocks of X moved, or were copied"  # a target goes to its X
        del X, labels
    assert moved[16] == moved[1024] > 0, moved


def test_persisted_blocks_are_used_as_they_are(client: Client, tmp_path: Path) -> None:
    """They are neither made anew nor held twice, also where the caller keeps the model and its graph."""
    counter = Counter(tmp_path)
    X, labels = cut(16)
    X, labels = held(client, blocks(X, counter.block), labels)
    keys = sorted(map(str, client.who_has()))
    found = [train(client, X, labels) for _ in range(2)]
    assert sorted(counter.counts().values()) == [1] * 16
    gc.collect()
    assert until(lambda: sorted(map(str, client.who_has())) == keys)
    assert len(found) == 2 and found[0].graph is not None


def test_a_lazy_array_is_made_once_a_fit(client: Client, tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    X, labels = cut(16)
    train(client, blocks(X, counter.block), labels)
    assert sorted(counter.counts().values()) == [1] * 16
    gc.collect()
    assert until(lambda: not any(client.has_what().values()))
    assert until(lambda: not own_keys(client))
