"""What the sweep of a loss with kinks answers, against sums over dense arrays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskml_dist.kernels import KinkSweep, Question, Sweep, answer
from daskml_dist.losses import Hinge, PiecewiseLinear, Quantile, Smoothed
from tests.kernels.examples import chunks, point

WIDTH, WANTED = 2.0, 25


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", [Hinge(), Quantile(0.3)], ids=lambda loss: loss.name)
def test_sums_and_the_nearest_rows(loss: PiecewiseLinear, intercept: bool, weighted: bool) -> None:
    data, at = chunks(weighted=weighted), point(intercept=intercept)
    sweep = Sweep(Smoothed(loss, WIDTH), at, hessian=True)
    told = answer(Question(KinkSweep(sweep, WANTED)), data, len(data))
    X, y = np.concatenate([c.X for c in data]), np.concatenate([c.y for c in data])
    offset = np.concatenate([c.offset for c in data]) if weighted else 0.0
    s = np.concatenate([c.weight for c in data]) if weighted else np.ones(len(y))
    z = X @ at.w[0] + at.raw_intercept[0] + offset
    [kink] = loss.kinks(y)
    u = kink.at - z
    free = (np.asarray(kink.low) + kink.high) / 2 + u / WIDTH
    pull = np.clip(free, kink.low, kink.high)
    inside = (pull == free) & (s > 0)
    rows = np.column_stack([X - at.centre, np.ones(len(y))]) if intercept else X
    assert_allclose(told.value, s @ loss.value(y, z), rtol=1e-12)
    assert_allclose(told.line, s @ (pull * u), rtol=1e-12)
    assert_allclose(told.answer.gradient[0], -rows.T @ (s * pull), rtol=1e-11, atol=1e-11)
    lean = (s * u / WIDTH)[inside]
    assert_allclose(told.lean, rows[inside].T @ lean, rtol=1e-10, atol=1e-11)
    assert told.inside == inside.sum() > 0
    nearest = np.sort(np.flatnonzero(s > 0)[np.argsort(np.abs(u[s > 0]), kind="stable")[:WANTED]])
    assert told.near is not None
    assert_array_equal(told.near.X, X[nearest])
    assert_array_equal(told.near.y, y[nearest])
    assert (told.near.weight is not None) == weighted


def test_rows_are_gathered_on_demand_only() -> None:
    sweep = Sweep(Smoothed(Hinge(), WIDTH), point(), hessian=True)
    assert answer(Question(KinkSweep(sweep)), chunks(), len(chunks())).near is None
    every = answer(Question(KinkSweep(sweep, 10_000)), chunks(), len(chunks())).near
    assert every is not None and every.X is not None and every.weight is not None
    assert len(every.X) == sum(int((c.weight > 0).sum()) for c in chunks() if c.weight is not None)
    assert (every.weight > 0).all()
