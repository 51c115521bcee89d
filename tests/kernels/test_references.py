"""What each kernel answers, against sums over dense arrays in extended precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import (
    TSQR,
    Glimpse,
    HessianVector,
    Kernel,
    LabelSurvey,
    LeverageSample,
    Moments,
    Point,
    Question,
    Sample,
    Sweep,
    TargetSurvey,
    answer,
)
from daskml_dist.kernels.leverage_sample import probabilities
from daskml_dist.losses import Logistic, Loss, Poisson, Squared
from daskml_dist.types import AnyArray, Chunk
from tests.kernels.examples import FEATURES, chunks, metric_factor, point

LOSSES = [Logistic(), Poisson(), Squared()]
#: the second one has a chunk of several row blocks, and the third no weights and no offset
DATA = {
    "small chunks": chunks(),
    "large chunks": chunks((9000, 3, 8192)),
    "unweighted": chunks(weighted=False),
}
over_losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
over_data = pytest.mark.parametrize("data", DATA.values(), ids=DATA)
over_intercepts = pytest.mark.parametrize("intercept", [True, False])


def ask(kernel: Kernel[Any], data: list[Chunk]) -> Any:
    return answer(Question(kernel), data, len(data))


class Dense:
    """All rows of some chunks as one array each, in extended precision."""

    def __init__(self, data: list[Chunk]) -> None:
        def column(name: str, default: float) -> AnyArray:
            parts = [getattr(chunk, name) for chunk in data]
            filled = [
                np.full(c.y.shape[0], default) if p is None else p for c, p in zip(data, parts, strict=True)
            ]
            return np.concatenate(filled).astype(np.longdouble)

        self.X = np.concatenate([chunk.X for chunk in data]).astype(np.longdouble)
        self.y, self.s, self.offset = column("y", 0.0), column("weight", 1.0), column("offset", 0.0)

    def rows(self, at: Point) -> AnyArray:
        """(n, q) derivatives of the margins."""
        return np.column_stack([self.X - at.centre, np.ones(len(self.X))]) if at.intercept else self.X

    def margins(self, at: Point, k: int = 0) -> AnyArray:
        return (self.X - at.centre) @ at.w[k].astype(np.longdouble) + at.b[k] + self.offset

    def derivatives(self, loss: Loss, at: Point, k: int = 0) -> list[AnyArray]:
        parts = loss.value_slope_curvature(self.y.astype(float), self.margins(at, k).astype(float))
        return [self.s * part for part in parts]

    def hessian(self, loss: Loss, at: Point, k: int = 0) -> AnyArray:
        rows = self.rows(at)
        return rows.T @ (rows * self.derivatives(loss, at, k)[2][:, None])


def close(found: Any, expected: AnyArray, size: AnyArray | float = 0.0, digits: float = 1e-12) -> None:
    """Equal to 1e-12 of the expected, or of the terms it is a sum of (their norm is ``size``)."""
    expected = np.asarray(expected, dtype=np.float64)
    allowed = digits * np.maximum(np.abs(expected), np.asarray(size, dtype=np.float64))
    assert np.shape(found) == expected.shape
    error = np.abs(np.asarray(found) - expected)
    assert (error <= allowed).all(), f"off by {error.max():.3g}, allowed {np.min(allowed):.3g}"


@over_data
@over_intercepts
@over_losses
def test_sweep(loss: Loss, data: list[Chunk], intercept: bool) -> None:
    at, dense = point(intercept=intercept), Dense(data)
    q = FEATURES + intercept
    direction = np.random.default_rng(1).standard_normal((1, q)) / 50
    steps, factor = (-0.75, -0.5, 1.0), metric_factor(q)
    found = ask(Sweep(loss, at, direction, steps, True, factor), data)
    value, slope, _ = dense.derivatives(loss, at)
    rows = dense.rows(at)
    assert found.rows == len(dense.y)
    close(found.weight_sum, dense.s.sum())
    close(found.value, value.sum(keepdims=True))
    close(found.gradient[0], rows.T @ slope, np.abs(rows).T @ np.abs(slope))
    hessian = dense.hessian(loss, at)
    close(found.hessian[0], hessian, np.sqrt(np.outer(np.diag(hessian), np.diag(hessian))))
    for column, step in enumerate(steps):
        there = at.at(at.theta + step * direction)
        close(found.trials[0, column], dense.derivatives(loss, there)[0].sum())
    scaled = np.linalg.solve(factor, rows[dense.s > 0].astype(float).T)
    close(found.radius, np.linalg.norm(scaled, axis=0).max())


@over_data
@over_intercepts
@over_losses
def test_sweep_of_some_columns(loss: Loss, data: list[Chunk], intercept: bool) -> None:
    at, dense = point(intercept=intercept), Dense(data)
    for columns in (np.array([0, 2]), np.array([3]), np.array([], dtype=np.int64)):
        found = ask(Sweep(loss, at, hessian=True, columns=columns, rising=True), data)
        seen = [*columns, FEATURES] if intercept else [*columns]
        hessian = dense.hessian(loss, at)[np.ix_(seen, seen)]
        close(found.hessian[0], hessian, np.sqrt(np.outer(np.diag(hessian), np.diag(hessian))))
        value, slope, _ = dense.derivatives(loss, at)
        up, rows = slope > 0.0, dense.rows(at)
        assert 0 < up.sum() < up.size
        close(found.rising[0], value[up].sum())
        close(found.rising[1:], rows[up].T @ slope[up], np.abs(rows[up]).T @ slope[up])
        close(found.gradient[0], rows.T @ slope, np.abs(rows).T @ np.abs(slope))


@over_losses
@over_intercepts
@pytest.mark.parametrize("problems", [1, 3, 7])
def test_many_problems_at_once_equal_separate_ones(loss: Loss, problems: int, intercept: bool) -> None:
    data, at = DATA["small chunks"], point(problems, intercept=intercept)
    direction = np.random.default_rng(1).standard_normal((problems, FEATURES + intercept)) / 50
    together = ask(Sweep(loss, at, direction, (0.5, -0.5), hessian=True), data)
    for k in range(problems):
        one = Point(at.w[k : k + 1], at.b[k : k + 1], at.centre, intercept)
        alone = ask(Sweep(loss, one, direction[k : k + 1], (0.5, -0.5), hessian=True), data)
        close(together.value[k], alone.value[0])
        close(together.trials[k], alone.trials[0])
        close(together.gradient[k], alone.gradient[0], np.abs(alone.gradient).max(), 1e-13 * 100)
        close(together.hessian[k], alone.hessian[0], np.abs(alone.hessian).max())


@over_data
@over_intercepts
@over_losses
def test_hessian_vector(loss: Loss, data: list[Chunk], intercept: bool) -> None:
    at, dense = point(intercept=intercept), Dense(data)
    vectors = np.random.default_rng(1).standard_normal((3, FEATURES + intercept))
    found = ask(HessianVector(loss, at, vectors), data)
    hessian = dense.hessian(loss, at)
    close(found, vectors @ hessian, np.abs(vectors) @ np.abs(hessian))


@over_data
def test_moments(data: list[Chunk]) -> None:
    dense, shift, y_shift = Dense(data), np.full(FEATURES, 2.9), np.array([0.4])
    rows = np.column_stack([dense.X - shift, dense.y - dense.offset - y_shift, np.ones(len(dense.y))])
    products = rows.T @ (rows * dense.s[:, None])
    found = ask(Moments(shift, y_shift), data)
    assert found.rows == len(dense.y)
    close(found.products, products, np.sqrt(np.outer(np.diag(products), np.diag(products))))


@over_data
def test_the_triangular_factor(data: list[Chunk]) -> None:
    dense, shift, y_shift = Dense(data), np.full(FEATURES, 2.9), np.array([0.4])
    rows = np.column_stack([np.ones(len(dense.y)), dense.X - shift, dense.y - dense.offset - y_shift])
    rows = rows * np.sqrt(dense.s)[:, None]
    found = ask(TSQR(shift, y_shift), data)
    products = rows.T @ rows
    assert_array_equal(found, np.triu(found))
    close(found.T @ found, products, np.sqrt(np.outer(np.diag(products), np.diag(products))))


def test_the_triangular_factor_keeps_what_a_product_loses() -> None:
    """Lauchli 1961: columns that differ by 1e-9; in the product of doubles they are one."""
    e = 1e-9
    X = np.array([[1.0, 1.0], [e, 0.0], [0.0, e]])
    data = [Chunk(i, X[i : i + 1], np.zeros(1)) for i in range(3)]
    found = ask(TSQR(np.zeros(2), np.zeros(1)), data)
    singular = np.linalg.svd(found[:, 1:3], compute_uv=False)
    assert_allclose(singular, [np.sqrt(2 + e**2), e], rtol=1e-7)
    assert np.linalg.matrix_rank(X.T @ X) == 1


def test_several_targets() -> None:
    rng = np.random.default_rng(0)
    data = [Chunk(i, rng.standard_normal((20, 3)), rng.standard_normal((20, 2))) for i in range(3)]
    X, Y = (np.concatenate([getattr(c, name) for c in data]) for name in ("X", "y"))
    rows = np.column_stack([X, Y - [1.0, 2.0], np.ones(60)])
    found = ask(Moments(np.zeros(3), np.array([1.0, 2.0])), data)
    assert_allclose(found.products, rows.T @ rows, rtol=1e-12, atol=1e-12)
    found = ask(TSQR(np.zeros(3), np.array([1.0, 2.0])), data)
    rows = rows[:, [5, 0, 1, 2, 3, 4]]
    assert_allclose(found.T @ found, rows.T @ rows, rtol=1e-12, atol=1e-12)


@over_data
def test_glimpse(data: list[Chunk]) -> None:
    found = ask(Glimpse(16), data)
    seen = [(c.X[:16], c.y[:16]) for c in data]
    close(found.x_mean, np.concatenate([X for X, _ in seen]).mean(axis=0))
    close(found.y_mean, np.concatenate([y for _, y in seen]).mean(keepdims=True))


@over_data
def test_surveys_of_the_target(data: list[Chunk]) -> None:
    dense = Dense(data)
    labels = ask(LabelSurvey(Logistic()), data)
    assert labels.classes.tolist() == [0.0, 1.0]
    assert labels.counts.tolist() == [(dense.y == 0).sum(), (dense.y == 1).sum()]
    close(labels.weights, np.array([dense.s[dense.y == c].sum() for c in (0, 1)]))
    told = ask(TargetSurvey(Poisson()), data)
    assert (told.rows, told.events) == (len(dense.y), (dense.y > 0).sum())
    close(told.weight_sum, dense.s.sum())
    close(told.mean, (dense.s * dense.y).sum() / dense.s.sum())


# ------------------------------------------------------------------------------------ samples


def test_a_sample_of_all_rows_is_all_rows() -> None:
    data, dense = DATA["small chunks"], Dense(DATA["small chunks"])
    found = ask(Sample(Logistic(), 1.0, 1.0, 3), data)
    for part, expected in (
        (found.X, dense.X),
        (found.y, dense.y),
        (found.weight, dense.s),
        (found.offset, dense.offset),
    ):
        assert_array_equal(part, expected)


def test_a_sample_is_unbiased() -> None:
    """Over seeds, sums over the sample are those over all rows, and so are counts in each stratum."""
    data, dense, seeds = DATA["small chunks"], Dense(DATA["small chunks"]), 120
    rates = np.where(dense.y > 0.5, 0.8, 0.25).astype(float)
    samples = [ask(Sample(Logistic(), 0.8, 0.25, seed), data) for seed in range(seeds)]

    def agrees(sums: list[AnyArray], terms: AnyArray) -> None:
        variance = (np.square(terms).T @ ((1 - rates) / rates)) / seeds
        assert (np.abs(np.mean(sums, axis=0) - terms.sum(axis=0)) <= 4.5 * np.sqrt(variance) + 1e-12).all()

    agrees([s.weight @ s.X for s in samples], (dense.s[:, None] * dense.X).astype(float))
    agrees([(s.weight * s.y).sum() for s in samples], (dense.s * dense.y).astype(float))
    events = np.mean([(s.y > 0.5).sum() for s in samples])
    expected = 0.8 * (dense.y > 0.5).sum()
    assert abs(float(events - expected)) < 4.5 * np.sqrt(0.2 * float(expected) / seeds)


def test_a_sample_depends_on_seed_and_chunk_alone() -> None:
    data = DATA["small chunks"]
    whole = ask(Sample(Logistic(), 0.5, 0.5, 1), data)
    again = ask(Sample(Logistic(), 0.5, 0.5, 1), data)
    assert_array_equal(whole.X, again.X)
    assert ask(Sample(Logistic(), 0.5, 0.5, 2), data).X.shape != whole.X.shape
    third = Sample(Logistic(), 0.5, 0.5, 1).chunk(data[3]).gathered[3].X
    assert (whole.X[:, None] == third).all(axis=2).any(axis=0).all()
    same_rows = Chunk(4, data[3].X, data[3].y)
    other = Sample(Logistic(), 0.5, 0.5, 1).chunk(same_rows).gathered[4].X
    assert third.shape != other.shape or not np.array_equal(third, other)


def test_a_larger_rate_draws_the_same_rows_and_more() -> None:
    data = DATA["small chunks"][3]
    few, many = (Sample(Logistic(), r, r, 1).chunk(data).gathered[3].X for r in (0.3, 0.6))
    assert 0 < len(few) < len(many)
    assert (few[:, None] == many).all(axis=2).any(axis=1).all()


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(InvalidData, match="sample for the first guess is empty"):
        ask(Sample(Logistic(), 0.0, 0.0, 1), DATA["small chunks"])


def leverage_sample(share: float, seed: int = 1, w: float | None = None) -> LeverageSample:
    at = point() if w is None else Point(np.full((1, FEATURES), w), np.zeros(1), np.zeros(FEATURES), True)
    return LeverageSample(Sweep(Logistic(), at), metric_factor(FEATURES + 1), share, seed)


@over_data
def test_the_sweep_of_a_leverage_sample_is_that_of_all_rows(data: list[Chunk]) -> None:
    found = ask(leverage_sample(0.3), data).answer
    alone = ask(Sweep(Logistic(), point(), factor=metric_factor(FEATURES + 1)), data)
    assert found.rows == alone.rows and found.weight_sum == alone.weight_sum
    assert_array_equal(found.value, ask(Sweep(Logistic(), point()), data).value)
    close(found.gradient, alone.gradient.astype(np.longdouble))
    assert_allclose(found.radius, alone.radius, rtol=1e-12)


def test_a_leverage_sample_is_unbiased_and_of_the_size_that_was_asked_for() -> None:
    data, dense, seeds = DATA["small chunks"], Dense(DATA["small chunks"]), 120
    samples = [ask(leverage_sample(0.3, seed), data).sample for seed in range(seeds)]
    for found, expected in (
        ([s.weight @ s.X for s in samples], dense.s @ dense.X),
        ([(s.weight * s.y).sum() for s in samples], dense.s @ dense.y),
    ):
        error = np.std(found, axis=0) / np.sqrt(seeds)
        assert (np.abs(np.mean(found, axis=0) - expected.astype(float)) <= 4.5 * error + 1e-12).all()
    rows = np.mean([len(s.y) for s in samples])
    assert 0.2 * len(dense.y) < rows <= 0.31 * len(dense.y)  # rows that both halves want count once


def test_rows_that_matter_are_drawn_for_certain() -> None:
    """One row far out, and one on the wrong side of a hyperplane that the others are far from."""
    data = chunks((400,), weighted=False)
    X, y = data[0].X, data[0].y
    assert X is not None and y is not None
    X[:], y[:] = 1.0 + 0.1 * np.random.default_rng(1).standard_normal(X.shape), 1.0
    X[17, 0], y[250] = 50.0, 0.0
    for seed in range(20):
        sample = ask(leverage_sample(0.05, seed, w=3.0), data).sample
        assert (sample.X[:, 0] == 50.0).sum() == 1 and (sample.y == 0.0).sum() == 1
        assert sample.weight[sample.X[:, 0] == 50.0] == 1.0 and sample.weight[sample.y == 0.0] == 1.0
        assert len(sample.y) < 60


@pytest.mark.parametrize("share", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0])
def test_probabilities_are_probabilities_and_add_up(share: float, spread: float) -> None:
    score = np.exp(spread * np.random.default_rng(2).standard_normal(500))
    rate = probabilities(score, share)
    assert (rate > 0.0).all() and (rate <= 1.0).all()
    assert_allclose(rate.sum(), share * 500, rtol=1e-9)
    assert (np.diff(rate[np.argsort(score)]) >= -1e-12).all()
    assert probabilities(np.zeros(5), share).min() > 0.0


# ------------------------------------------------------------------------------------ extremes


def test_a_zero_weight_silences_an_infinite_loss() -> None:
    X, y = np.array([[1.0], [2000.0]]), np.array([1.0, 1.0])
    at = Point(np.ones((1, 1)), np.zeros(1), np.zeros(1), True)
    loud, silent = Chunk(0, X, y), Chunk(0, X, y, np.array([1.0, 0.0]))
    assert ask(Sweep(Poisson(), at), [loud]).value == np.inf
    found = ask(Sweep(Poisson(), at, hessian=True), [silent])
    assert np.isfinite(found.value).all() and np.isfinite(found.hessian).all()
    assert np.isfinite(ask(HessianVector(Poisson(), at, np.ones((1, 2))), [silent])).all()


def test_a_point_that_overflows_is_answered_with_infinity_and_not_refused() -> None:
    data = chunks((20, 20))
    at = Point(np.full((1, FEATURES), 1e3), np.zeros(1), np.zeros(FEATURES), True)
    assert ask(Sweep(Poisson(), at), data).value == np.inf


def test_many_rows_lose_no_digits() -> None:
    """Sums over chunks are exact, so that 3e5 rows add up as well as the 1000 of a chunk."""
    rows = 300_000
    data = [Chunk(i, np.full((1000, 1), 0.1), np.zeros(1000)) for i in range(rows // 1000)]
    found = ask(Sweep(Squared(), Point(np.zeros((1, 1)), np.ones(1), np.zeros(1), True), hessian=True), data)
    assert_allclose(found.hessian[0], rows * np.array([[0.01, 0.1], [0.1, 1.0]]), rtol=2e-14)
