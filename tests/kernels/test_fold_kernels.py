"""Sums fold by fold, against the rows of each fold; leave-one-out errors, against fits without each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskml_dist.kernels import FoldFactors, FoldMoments, LeaveOneOut, Point, Question, answer
from daskml_dist.types import Chunk
from tests.kernels.examples import FEATURES, FOLDS, SHIFT, chunks

Y_SHIFT = np.array([0.4])
DATA = chunks()


def ask(kernel: Any, data: list[Chunk] = DATA) -> Any:
    return answer(Question(kernel), data, len(data))


@pytest.mark.parametrize("folds", FOLDS, ids=lambda folds: f"{folds.n_folds}")
def test_products_and_factors_are_those_of_the_rows_of_a_fold(folds: Any) -> None:
    fold = np.concatenate([folds.of(c.id, len(c.y), c.y) for c in DATA])
    X, y, offset, s = (
        np.concatenate([getattr(c, name) for c in DATA]) for name in ("X", "y", "offset", "weight")
    )
    rows = np.column_stack([X - SHIFT, y - offset - Y_SHIFT, np.ones(len(y))]) * np.sqrt(s)[:, None]
    moments, factors = ask(FoldMoments(folds, SHIFT, Y_SHIFT)), ask(FoldFactors(folds, SHIFT, Y_SHIFT))
    assert_array_equal(moments.rows, np.bincount(fold))
    assert_array_equal(factors.rows, np.bincount(fold))
    for k in range(folds.n_folds):
        products = rows[fold == k].T @ rows[fold == k]
        assert_allclose(moments.products[k], products, rtol=1e-11, atol=1e-9)
        ones_last = np.roll(factors.factors[k], -1, axis=1)
        assert_allclose(ones_last.T @ ones_last, products, rtol=1e-11, atol=1e-9)


def test_a_fold_without_rows_has_an_empty_factor() -> None:
    few = [Chunk(0, DATA[0].X[:2], DATA[0].y[:2])]

    class Missing:
        n_folds = 3

        def of(self, *chunk: Any) -> Any:
            return np.array([0, 2])

    found = ask(FoldFactors(Missing(), SHIFT, Y_SHIFT), few)  # type: ignore[arg-type]
    assert [len(factor) for factor in found.factors] == [1, 0, 1]
    assert found.rows.tolist() == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("common", [True, False], ids=["one basis", "a basis each"])
@pytest.mark.parametrize("intercept", [True, False])
def test_leaving_out_each_row_in_turn(intercept: bool, common: bool) -> None:
    rng = np.random.default_rng(2)
    X, Y, s = rng.standard_normal((23, FEATURES)) + 1.0, rng.standard_normal((23, 2)), rng.random(23)
    alphas = np.array([0.1, 3.0])

    def fitted(kept: Any, alpha: float) -> tuple[Any, Any, Any]:
        weight = s * kept
        x_mean = weight @ X / weight.sum() * intercept
        y_mean = weight @ Y / weight.sum() * intercept
        gram = (X - x_mean).T @ (weight[:, None] * (X - x_mean))
        right = (X - x_mean).T @ (weight[:, None] * (Y - y_mean))
        return np.linalg.solve(gram + alpha * np.eye(FEATURES), right).T, y_mean, x_mean

    everything = np.ones(23)
    fits = [fitted(everything, alpha) for alpha in alphas]
    centre = fits[0][2]
    points = Point(
        np.concatenate([w for w, _, _ in fits]), np.concatenate([b for _, b, _ in fits]), centre, intercept
    )
    gram = (X - centre).T @ (s[:, None] * (X - centre))
    if common:
        values, vectors = np.linalg.eigh(gram)
        bases, scales = vectors.T[None], 1.0 / (values + alphas[:, None])
    else:
        roots = [np.linalg.cholesky(gram + alpha * np.eye(FEATURES)) for alpha in alphas]
        bases, scales = np.stack([np.linalg.inv(root) for root in roots]), np.ones((2, FEATURES))
    share = intercept / s.sum()
    data = [Chunk(i, X[rows], Y[rows], s[rows]) for i, rows in enumerate(np.split(np.arange(23), [5, 6, 20]))]
    found = ask(LeaveOneOut(points, bases, scales, share, keep=True), data)

    errors = np.empty((23, 2, 2))
    for i in range(23):
        for a, alpha in enumerate(alphas):
            w, b, x_mean = fitted(np.arange(23) != i, alpha)
            errors[i, :, a] = s[i] * (Y[i] - w @ (X[i] - x_mean) - b) ** 2
    assert_allclose(found.each, errors, rtol=1e-9)
    assert_allclose(found.errors, errors.sum(axis=0).T, rtol=1e-10)
    assert found.rows == 23
    assert (found.leverage < 1.0).all()
