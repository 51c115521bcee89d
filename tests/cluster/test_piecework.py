"""Pieces of work: each is done, also when a worker dies, and the first error ends it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from distributed import Client

from daskml_dist.cluster import piecework
from daskml_dist.errors import InvalidData
from tests.cluster.nemesis import own_cluster


def _square(number: int) -> int:
    return number * number


def _refuse_the_third(number: int) -> int:
    if number == 3:
        raise InvalidData("the third one is bad")
    time.sleep(0.01)
    return number


def _die_once(given: tuple[str, int]) -> int:
    folder, number = given
    if number == 2 and not (mark := Path(folder) / "died").exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (Path(folder) / f"{number}-{time.time_ns()}").touch()
    return number


def _missing_twice(given: tuple[str, int]) -> int:
    folder, number = given
    tries = len(list(Path(folder).glob(f"try-{number}-*")))
    (Path(folder) / f"try-{number}-{tries}").touch()
    if number == 1 and tries < 2:
        raise FileNotFoundError("not there for a moment")
    return number


def test_all_are_done(backend: str) -> None:
    assert sorted(piecework(_square, range(40))) == [number**2 for number in range(40)]
    assert list(piecework(_square, [])) == []


def test_threads_even_where_there_is_a_client(client: Client) -> None:
    assert sorted(piecework(lambda number: (number, os.getpid()), range(3), "threads")) == [
        (number, os.getpid()) for number in range(3)
    ]


def test_the_first_error_ends_it(backend: str) -> None:
    with pytest.raises(InvalidData, match="the third one is bad"):
        list(piecework(_refuse_the_third, range(100)))


def test_nothing_is_left_behind(client: Client) -> None:
    work = piecework(_square, range(1000))
    next(work)
    work.close()
    deadline = time.monotonic() + 30
    while client.cluster.scheduler.tasks and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [key for key in client.cluster.scheduler.tasks if str(key).startswith("daskml-dist-piece")]


def test_what_is_missing_for_a_moment_is_tried_again(client: Client, tmp_path: Path) -> None:
    assert sorted(piecework(_missing_twice, [(str(tmp_path), number) for number in range(4)])) == [0, 1, 2, 3]


def test_a_worker_dies(tmp_path: Path) -> None:
    with own_cluster(2) as cluster, Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        pieces = [(str(tmp_path), number) for number in range(12)]
        assert sorted(piecework(_die_once, pieces, client)) == list(range(12))
    assert (tmp_path / "died").exists()
