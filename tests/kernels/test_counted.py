"""Any up to two chunks that are missing, and any up to two that come twice, are noticed."""

from __future__ import annotations

from itertools import combinations

import pytest

from daskml_dist.kernels.counted import Counted

N = 9


def total(ids: list[int]) -> Counted:
    found = Counted()
    for chunk_id in ids:
        found = found + Counted.one(chunk_id)
    return found


def test_each_once() -> None:
    for n in range(1, 50):
        assert total(list(range(n))) == Counted.all(n)
        total(list(range(n))).check(n)


@pytest.mark.parametrize("missing", [0, 1, 2])
@pytest.mark.parametrize("twice", [0, 1, 2])
def test_up_to_two_of_each(missing: int, twice: int) -> None:
    for lost in combinations(range(N), missing):
        for doubled in combinations(sorted(set(range(N)) - set(lost)), twice):
            if not lost and not doubled:
                continue
            ids = [chunk_id for chunk_id in range(N) if chunk_id not in lost]
            with pytest.raises(AssertionError, match=r"counted"):
                total([*ids, *doubled]).check(N)


def test_a_single_culprit_is_named() -> None:
    with pytest.raises(AssertionError, match="chunk 4 of 9 was not counted"):
        total([0, 1, 2, 3, 5, 6, 7, 8]).check(N)
    with pytest.raises(AssertionError, match="chunk 4 of 9 was counted twice"):
        total([0, 1, 2, 3, 4, 4, 5, 6, 7, 8]).check(N)
