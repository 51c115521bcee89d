"""BLAS has one thread while anybody computes, and its own number again when nobody does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread

import numpy as np  # noqa: F401  loads a BLAS
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from daskml_dist.cluster.blas import single_threaded_blas


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def before() -> set[int]:
    found = threads()
    if found == {1}:
        pytest.skip("BLAS has one thread on this machine")
    return found


def test_one_inside_and_as_many_as_before_outside(before: set[int]) -> None:
    with single_threaded_blas():
        assert threads() == {1}
        with single_threaded_blas():
            assert threads() == {1}
        assert threads() == {1}
    assert threads() == before


def test_an_error_does_not_keep_it(before: set[int]) -> None:
    with pytest.raises(ZeroDivisionError), single_threaded_blas():
        _ = 1 / 0
    assert threads() == before


def test_whoever_leaves_first_leaves_it_to_the_other(before: set[int]) -> None:
    both_in, one_out = Barrier(2, timeout=30), Barrier(2, timeout=30)
    seen = []

    def first() -> None:
        with single_threaded_blas():
            both_in.wait()
        one_out.wait()

    def last() -> None:
        with single_threaded_blas():
            both_in.wait()
            one_out.wait()
            seen.append(threads())

    running = [Thread(target=first), Thread(target=last)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=60)
    assert seen == [{1}] and threads() == before


def test_a_limit_of_the_user_stays(before: set[int]) -> None:
    with threadpool_limits(2, user_api="blas"):
        with single_threaded_blas():
            assert threads() == {2}
        assert threads() == {2}
    with single_threaded_blas():
        assert threads() == {1}
    assert threads() == before


def test_tasks_in_many_threads(before: set[int]) -> None:
    def task(_: int) -> set[int]:
        with single_threaded_blas():
            return threads()

    with ThreadPoolExecutor(4) as pool:
        assert all(found == {1} for found in pool.map(task, range(200)))
    assert threads() == before
