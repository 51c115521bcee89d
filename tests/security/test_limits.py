"""Limits: constructed cases at, below and above each bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskml_dist.security import Limits, Rates, TokenBucket, TooLarge

LIMITS = Limits(json_bytes=100, binary_bytes=1000, rows=10)


def test_bodies() -> None:
    LIMITS.check_body(100, binary=False)
    LIMITS.check_body(1000, binary=True)
    with pytest.raises(TooLarge, match="at most 100 are taken as JSON"):
        LIMITS.check_body(101, binary=False)
    with pytest.raises(TooLarge, match="at most 1000 are taken as binary"):
        LIMITS.check_body(1001, binary=True)


def test_shapes() -> None:
    LIMITS.check_shape([10, 3], values=30)
    LIMITS.check_shape([0, 3], values=0)
    LIMITS.check_shape([], values=1)
    with pytest.raises(TooLarge, match="11 rows"):
        LIMITS.check_shape([11, 3], values=33)
    for shape, values in [([3, 3], 8), ([-1, -9], 9), ([2**40, 2**40], 9), ([0], 1), ([], 0)]:
        with pytest.raises(ValueError, match="shape"):
            LIMITS.check_shape(shape, values=values)


@given(
    waits=st.lists(st.floats(0, 3), min_size=1, max_size=200),
    rate=st.floats(0.5, 50),
    burst=st.integers(1, 20),
)
def test_a_bucket_never_gives_more_than_rate_and_burst(waits: list[float], rate: float, burst: int) -> None:
    bucket = TokenBucket(rate=rate, burst=burst, now=0.0)
    times = np.cumsum(waits)
    let = [time for time in times if bucket.take(now=time) == 0.0]
    for i, first in enumerate(let):
        for j in range(i, len(let)):
            assert j - i + 1 <= burst + rate * (let[j] - first) + 1e-6


def test_who_waits_as_long_as_told_may_go() -> None:
    bucket = TokenBucket(rate=3.0, burst=1, now=5.0)
    assert bucket.take(now=5.0) == 0.0
    wait = bucket.take(now=5.1)
    assert wait == pytest.approx(1 / 3 - 0.1)
    assert bucket.take(now=5.1 + wait + 1e-9) == 0.0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=1.0, burst=1, now=100.0)
    assert bucket.take(now=100.0) == 0.0
    assert bucket.take(now=0.0) == 1.0
    assert bucket.take(now=100.5) == 0.5


def test_bearers_do_not_share_and_are_not_remembered_for_ever() -> None:
    rates = Rates(rate=1.0, burst=1, most=2)
    assert [rates.take(bearer, now=0.0) for bearer in "aabb"] == [0.0, 1.0, 0.0, 1.0]
    assert rates.take("a", now=0.0) == 1.0
    assert rates.take("c", now=0.0) == 0.0  # b is forgotten, a was here after it
    assert rates.take("a", now=0.0) == 1.0
    assert rates.take("b", now=0.0) == 0.0


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0), (float("nan"), 1)])
def test_bad_rates(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="rate="):
        Rates(rate=rate, burst=burst)
