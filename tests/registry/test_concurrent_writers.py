"""Twenty writers at once, and a kill between any two file operations: always the old state or the new one."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from daskml_dist import edge
from daskml_dist.registry import Registry
from daskml_dist.types import AnyArray

WRITERS, ROUNDS = 20, 2
FORK = multiprocessing.get_context("fork")


def publish(url: str, model: Any, start: Any) -> None:
    """Register and promote; everything that is seen on the way is whole."""
    store = Registry(url)
    start.wait(60)
    for _ in range(ROUNDS):
        number = store.register(model, "claims", alias="champion").number
        assert store.version("claims@champion").number >= 1
        edge.load(store.local(f"claims/{number}"))
        store.history("claims")


def state(store: Registry) -> tuple[list[int], dict[str, int]]:
    """What can be seen of a registry; all of it is checked."""
    found = [version.number for version in store.versions("claims")]
    for number in found:
        edge.load(store.local(f"claims/{number}"))
    aliases = store.aliases("claims")
    for alias, number in aliases.items():
        assert store.history("claims", alias)[-1].version == number in found
    return found, aliases


def test_twenty_writers_at_once(store: Registry, model: Any) -> None:
    start = FORK.Barrier(WRITERS)
    writers = [FORK.Process(target=publish, args=(store.url, model, start)) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    found, _ = state(store)
    assert found == list(range(1, WRITERS * ROUNDS + 1))
    events = store.history("claims")
    assert sorted(event.version for event in events) == found
    assert not list(Path(store.url).rglob(".*"))


OPERATIONS = {
    "open",
    "os.rename",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.listdir",
    "os.scandir",
    "shutil.rmtree",
}


def die_at(moment: int, url: str, model: Any, X: AnyArray) -> None:
    """Register and roll back, and die at a file operation; the exit code says whether one was left."""
    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in OPERATIONS and str(url) in str(arguments[0]):
            count += 1
            if count == moment:
                os._exit(9)

    sys.addaudithook(watch)
    store = Registry(url)
    store.register(model, "claims", data=X, alias="champion")
    store.rollback("claims")
    os._exit(0)


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 7])
def test_a_kill_between_any_two_file_operations(tmp_path: Path, model: Any, X: AnyArray, step: int) -> None:
    allowed = {((1,), 1), ((1, 2), 1), ((1, 2), 2)}
    seen, moment, code = set(), 0, 9
    while code == 9:
        moment += step
        store = Registry(tmp_path / str(moment))
        store.register(model, "claims", alias="champion")
        writer = FORK.Process(target=die_at, args=(moment, store.url, model, X))
        writer.start()
        writer.join(60)
        code = writer.exitcode or 0
        found, aliases = state(store)
        assert (tuple(found), aliases["champion"]) in allowed, moment
        seen.add((tuple(found), aliases["champion"]))
        # whoever comes next is not in the way of what was left behind
        assert store.register(model, "claims", alias="champion").number == found[-1] + 1
        assert store.rollback("claims").version == aliases["champion"]
    assert code == 0 and moment > 30 and seen == allowed


@pytest.mark.parametrize("fatal", [1, 2, 3])
def test_an_object_store_that_dies_on_the_way(
    model: Any, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    import uuid

    from fsspec.implementations.memory import MemoryFileSystem

    store = Registry(f"memory://tests/{uuid.uuid4().hex}")
    store.register(model, "claims", alias="champion")
    real, calls = MemoryFileSystem.pipe_file, 0

    def dies(self: Any, *arguments: Any, **named: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > fatal:
            raise OSError("connection lost")
        real(self, *arguments, **named)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="connection lost"):
        patch.setattr(MemoryFileSystem, "pipe_file", dies)
        store.register(model, "claims", alias="champion")
    assert [version.number for version in store.versions("claims")] == [1]
    assert store.version("claims@champion").number == 1
    assert store.register(model, "claims", alias="champion").number == 3


def test_writers_of_an_object_store_at_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    import uuid
    from concurrent.futures import ThreadPoolExecutor

    from fsspec.implementations.memory import MemoryFileSystem

    lock, real = threading.Lock(), MemoryFileSystem.pipe_file

    def at_once(self: Any, *arguments: Any, **named: Any) -> None:
        """As an object store creates: the memory of this process looks and then writes."""
        with lock:
            real(self, *arguments, **named)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", at_once)
    url = f"memory://tests/{uuid.uuid4().hex}"

    def add(_: int) -> int:
        return Registry(url).register(model, "claims", alias="champion").number

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(add, range(16)))
    assert sorted(found) == list(range(1, 17))
    assert sorted(event.version for event in Registry(url).history("claims")) == sorted(found)
