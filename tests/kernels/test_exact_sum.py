"""Sums without order: against fractions, for any float64."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from daskml_dist.kernels import ExactSum
from daskml_dist.types import FloatArray

#: every finite float64, but for sums beyond the largest one
anything = st.floats(min_value=-1e300, max_value=1e300, allow_subnormal=True)
#: mixed exponents: numbers that differ by up to 2^200 in size
scattered = st.builds(math.ldexp, st.floats(-1.0, 1.0, allow_subnormal=False), st.integers(-100, 100))
moderate = st.floats(min_value=1e-5, max_value=1e5)
addends = st.lists(st.one_of(anything, scattered, moderate), min_size=1, max_size=40)


def add(values: list[float]) -> ExactSum:
    return ExactSum.of(np.array(values)[:, None])


def key(total: ExactSum) -> tuple[bytes, bytes, bytes]:
    return total.digits.tobytes(), total.top.tobytes(), total.value().tobytes()


def ulp(x: float) -> float:
    return math.ulp(x) if math.isfinite(x) else math.inf


def check_accurate(values: list[float], found: float) -> None:
    """The error is below count * 2^-64 of the largest addend, plus one rounding."""
    exact = sum((Fraction(v) for v in values), Fraction(0))
    largest = max(Fraction(abs(v)) for v in values)
    allowed = len(values) * largest / 2**64 + Fraction(ulp(float(exact)))
    assert abs(Fraction(found) - exact) <= allowed, (values, found)


@settings(max_examples=150, deadline=None)
@given(addends)
def test_it_is_accurate(values: list[float]) -> None:
    check_accurate(values, float(add(values).value()[0]))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(min_value=0.0, max_value=1e300), min_size=1, max_size=40))
def test_without_cancellation_it_is_fsum_to_the_last_digit(values: list[float]) -> None:
    found, truth = float(add(values).value()[0]), math.fsum(values)
    assert abs(found - truth) <= ulp(truth)


@settings(max_examples=80, deadline=None)
@given(addends)
def test_what_is_added_and_taken_away_again_leaves_nothing(values: list[float]) -> None:
    assert add(values + [-v for v in values]).value()[0] == 0.0


@settings(max_examples=80, deadline=None)
@given(st.lists(scattered, min_size=2, max_size=20), st.integers(60, 400))
def test_one_addend_is_returned_as_it_is(values: list[float], power: int) -> None:
    for v in [*values, math.ldexp(1.5, power), -5e-324, 1.7976931348623157e308, 2.2250738585072014e-308]:
        assert add([v]).value()[0] == v


@settings(max_examples=120, deadline=None)
@given(addends, st.randoms(use_true_random=False))
def test_it_is_associative_and_commutative_to_the_bit(values: list[float], random: object) -> None:
    expected = key(add(values))
    for _ in range(4):
        shuffled = list(values)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        pile = []
        while shuffled:
            size = random.randint(1, len(shuffled))  # type: ignore[attr-defined]
            pile.append(add(shuffled[:size]))
            del shuffled[:size]
        while len(pile) > 1:
            a = pile.pop(random.randrange(len(pile)))  # type: ignore[attr-defined]
            b = pile.pop(random.randrange(len(pile)))  # type: ignore[attr-defined]
            assert key(a.combine(b)) == key(b.combine(a))
            pile.append(a.combine(b))
        assert key(pile[0]) == expected


@settings(max_examples=100, deadline=None)
@given(addends)
def test_zeros_change_nothing(values: list[float]) -> None:
    assert key(add([0.0, -0.0, *values])) == key(add(values))
    assert key(add(values).combine(add([0.0]))) == key(add(values))


def test_elements_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(0)
    table = rng.standard_normal((50, 7)) * np.exp2(rng.integers(-300, 300, (50, 7)))
    together = ExactSum.of(table)
    for column in range(7):
        alone = ExactSum.of(table[:, column : column + 1])
        assert together.value()[column] == alone.value()[0]
    halves = ExactSum.of(table[:20]).combine(ExactSum.of(table[20:]))
    assert_array_equal(halves.value(), together.value())


def test_shape_is_that_of_the_addends() -> None:
    total = ExactSum.of(np.ones((4, 2, 3)))
    assert total.shape == (2, 3)
    assert_array_equal(total.value(), np.full((2, 3), 4.0))
    assert total.nbytes == 26 * 6
    assert_array_equal(pickle.loads(pickle.dumps(total)).value(), total.value())


def test_a_million_addends() -> None:
    values = np.random.default_rng(1).standard_normal(1_000_000) * np.logspace(-8, 8, 1_000_000)
    total = ExactSum.of(np.zeros((1, 1)))
    for part in np.split(values, 100):
        total = total.combine(ExactSum.of(part[:, None]))
    assert total.value()[0] == math.fsum(values)


def test_a_sum_may_pass_through_what_float64_cannot_hold() -> None:
    huge = 1.7e308
    assert add([huge, huge, -huge, -huge, 3.0e300]).value()[0] == 3.0e300
    assert add([huge, huge]).value()[0] == np.inf
    assert add([-huge, -huge]).value()[0] == -np.inf


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, np.inf], np.inf),
        ([-np.inf, 5.0, -np.inf], -np.inf),
        ([np.inf, -np.inf, 1.0], np.nan),
        ([np.nan, 1.0], np.nan),
    ],
)
def test_what_is_not_finite_stays_so(values: list[float], expected: float) -> None:
    whole = add(values)
    joined = add(values[:1]).combine(add(values[1:]))
    for total in (whole, joined, joined.combine(add([2.0]))):
        assert not total.all_finite
        assert_array_equal(total.value(), [expected])
    assert add([1.0]).all_finite


# --------------------------------------------------------------------------------- the lies


def plain(values: list[float]) -> float:
    return float(np.sum(np.array(values), dtype=np.float32))


def test_a_sum_in_single_precision_is_seen() -> None:
    with pytest.raises(AssertionError):
        check_accurate([0.1, 0.2, 0.3], plain([0.1, 0.2, 0.3]))


def test_floats_alone_are_neither_associative_nor_commutative() -> None:
    values: FloatArray = np.array([1e16, 1.0, -1e16, 1.0])
    assert sum(values.tolist()) != sum(values[[0, 2, 1, 3]].tolist())
    assert key(add(values.tolist())) == key(add(values[[0, 2, 1, 3]].tolist()))
