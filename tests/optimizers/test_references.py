"""Optimizers and schedules against scikit-learn's, formulas as published, and closed forms on quadratics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import SGDRegressor
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from daskml_dist.optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Averaging,
    Momentum,
    Nesterov,
    Optimizer,
    RMSProp,
    ScheduleFree,
)
from daskml_dist.optimizers.schedules import Adaptive, Constant, Cosine, InverseScaling, Schedule, WarmUp

RNG = np.random.default_rng(3)
X, NOISE = RNG.standard_normal((60, 4)), RNG.standard_normal(60)
Y = X @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.1 * NOISE
H = np.array([0.2, 0.7, 1.5])  # curvatures of a bowl


def row_by_row(rule: Optimizer, epochs: int, *, tell: bool = False) -> np.ndarray:
    """Least squares with a step for each row in turn, as scikit-learn's SGD makes them."""
    w = np.zeros(4)
    state = rule.init(w)
    for _ in range(epochs):
        losses = 0.0
        for x, y in zip(X, Y, strict=True):
            error = float(x @ w) - y
            losses += 0.5 * error * error
            w, state = rule.apply(error * x, state, w)
        if tell:
            state = rule.told(losses / len(Y), state)
    return rule.model(state, w)


def theirs(epochs: int, **settings: Any) -> np.ndarray:
    plain = {"alpha": 0.0, "fit_intercept": False, "shuffle": False, "max_iter": epochs, "tol": None}
    return np.asarray(SGDRegressor(**{**plain, **settings}).fit(X, Y).coef_)


# ---------------------------------------------------------------------------- scikit-learn's SGD


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        (SGD(0.01), {"learning_rate": "constant", "eta0": 0.01}),
        (SGD(InverseScaling()), {"learning_rate": "invscaling"}),
        (SGD(InverseScaling(0.05, 0.6)), {"learning_rate": "invscaling", "eta0": 0.05, "power_t": 0.6}),
        (Averaging(SGD(0.02)), {"learning_rate": "constant", "eta0": 0.02, "average": True}),
        (Averaging(SGD(0.02), start=77), {"learning_rate": "constant", "eta0": 0.02, "average": 77}),
    ],
    ids=repr,
)
def test_rows_one_at_a_time(rule: Optimizer, settings: dict[str, Any]) -> None:
    assert_allclose(row_by_row(rule, 5), theirs(5, **settings), rtol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("tol", "patience"), [(1e-3, 5), (1e-4, 2), (0.0, 1)])
@pytest.mark.parametrize("epochs", [3, 9, 18])  # later they stop, or decide by rounding
def test_adaptive_rates(tol: float, patience: int, epochs: int) -> None:
    rule = SGD(Adaptive(0.1, tol=tol, n_iter_no_change=patience))
    expected = theirs(epochs, learning_rate="adaptive", eta0=0.1, tol=tol, n_iter_no_change=patience)
    assert_allclose(row_by_row(rule, epochs, tell=True), expected, rtol=1e-9)


def test_an_adaptive_rate_has_a_floor() -> None:
    schedule = Adaptive(1.0, n_iter_no_change=1)
    numbers = schedule.init()
    rates = []
    for _ in range(20):
        numbers = schedule.told(1.0, numbers)
        rates.append(schedule.rate(1, numbers))
    falls = [1.0 / 5.0**k for k in range(9)]  # the first loss is an improvement on none
    assert_allclose(rates, falls + [5.0**-9] * 11, rtol=1e-12)


def test_a_loss_that_is_not_a_number_is_no_improvement() -> None:
    schedule = Adaptive(1.0, n_iter_no_change=2)
    numbers = schedule.told(math.nan, schedule.told(math.nan, schedule.init()))
    assert schedule.rate(1, numbers) == 0.2
    assert numbers["best_loss"] == math.inf


# ------------------------------------------------------------------ scikit-learn's neural networks


def bowl(w: np.ndarray) -> np.ndarray:
    """The gradient of a function that is no quadratic."""
    return H * w + 0.1 * np.sin(3.0 * w)


@pytest.mark.parametrize("rate", [0.05, 0.3])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_momentum(rate: float, momentum: float) -> None:
    w = np.array([1.0, -2.0, 3.0])
    expected = [w.copy()]
    their = SGDOptimizer(expected, learning_rate_init=rate, momentum=momentum, nesterov=False)
    rule = Momentum(rate, momentum)
    state = rule.init(w)
    for _ in range(40):
        their.update_params(expected, [bowl(expected[0])])
        w, state = rule.apply(bowl(w), state, w)
        assert_allclose(w, expected[0], rtol=1e-12)


@pytest.mark.parametrize("schedule", [Constant(0.1), InverseScaling(0.2, 0.5)], ids=repr)
def test_nesterov_is_theirs_at_the_point_where_the_gradient_is_taken(schedule: Schedule) -> None:
    w = np.array([1.0, -2.0, 3.0])
    expected = [w.copy()]
    their = SGDOptimizer(expected, learning_rate_init=0.1, momentum=0.9, nesterov=True)
    rule = Nesterov(schedule, 0.9)
    state = rule.init(w)
    for t in range(1, 41):
        their.learning_rate = schedule.rate(t, {})
        their.update_params(expected, [bowl(expected[0])])
        w, state = rule.apply(bowl(rule.at(state, w)), state, w)
        assert_allclose(rule.at(state, w), expected[0], rtol=1e-10, atol=1e-14)


def test_adam_where_epsilon_does_not_matter() -> None:
    w = np.array([1.0, -2.0, 3.0])
    expected = [w.copy()]
    their = AdamOptimizer(expected, learning_rate_init=0.05, epsilon=1e-300)
    rule = Adam(0.05, epsilon=1e-300)
    state = rule.init(w)
    for _ in range(60):
        their.update_params(expected, [bowl(expected[0])])
        w, state = rule.apply(bowl(w), state, w)
        assert_allclose(w, expected[0], rtol=1e-10, atol=1e-13)


# --------------------------------------------------------------------------- published formulas

GRADIENTS = [0.5, -2.0, 1e-3, 0.0, 4.0, -0.3]


def trajectory(rule: Optimizer, w: float = 1.5) -> list[float]:
    point = np.array([w])
    state = rule.init(point)
    visited = []
    for gradient in GRADIENTS:
        point, state = rule.apply(np.array([gradient]), state, point)
        visited.append(float(point[0]))
    return visited


def test_adagrad_as_published() -> None:
    w, visited = 1.5, []
    for t in range(1, len(GRADIENTS) + 1):
        w -= 0.1 * GRADIENTS[t - 1] / (math.sqrt(sum(g * g for g in GRADIENTS[:t])) + 1e-3)
        visited.append(w)
    assert_allclose(trajectory(AdaGrad(0.1, epsilon=1e-3)), visited, rtol=1e-13)


def test_rmsprop_as_published() -> None:
    w, visited = 1.5, []
    for t in range(1, len(GRADIENTS) + 1):
        square = sum(0.1 * 0.9 ** (t - i) * GRADIENTS[i - 1] ** 2 for i in range(1, t + 1))
        w -= 0.1 * GRADIENTS[t - 1] / (math.sqrt(square) + 1e-3)
        visited.append(w)
    assert_allclose(trajectory(RMSProp(0.1, decay=0.9, epsilon=1e-3)), visited, rtol=1e-13)


@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_adam_and_adamw_as_published(decay: float) -> None:
    """Moments as the sums that their recursions stand for."""
    w, visited = 1.5, []
    for t in range(1, len(GRADIENTS) + 1):
        first = sum(0.2 * 0.8 ** (t - i) * GRADIENTS[i - 1] for i in range(1, t + 1)) / (1 - 0.8**t)
        second = sum(0.1 * 0.9 ** (t - i) * GRADIENTS[i - 1] ** 2 for i in range(1, t + 1)) / (1 - 0.9**t)
        w = w - 0.1 * (first / (math.sqrt(second) + 1e-3) + decay * w)
        visited.append(w)
    moments = {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}
    assert_allclose(trajectory(AdamW(0.1, weight_decay=decay, **moments)), visited, rtol=1e-13)
    if decay == 0.0:
        assert_allclose(trajectory(Adam(0.1, **moments)), visited, rtol=1e-13)


def test_averages_as_published() -> None:
    """Shamir and Zhang's recursion is a weighted mean; with eta = 0 of all points alike."""
    visited = np.array(trajectory(SGD(0.1)))

    def average(**settings: Any) -> float:
        rule, w = Averaging(SGD(0.1), **settings), np.array([1.5])
        state = rule.init(w)
        for gradient in GRADIENTS:
            w, state = rule.apply(np.array([gradient]), state, w)
        return float(rule.model(state, w)[0])

    assert average() == pytest.approx(visited.mean(), rel=1e-13)
    assert average(start=4) == pytest.approx(visited[3:].mean(), rel=1e-13)
    assert average(start=99) == pytest.approx(visited[-1], rel=1e-13)
    k = np.arange(1, 7)  # eta = 1: weights proportional to k
    assert average(eta=1.0) == pytest.approx(float(k @ visited / k.sum()), rel=1e-13)


@pytest.mark.parametrize("steps", [1, 4])
def test_schedule_free_as_published(steps: int) -> None:
    """x is the mean of the z, each with the weight of its squared learning rate."""
    rule, z = ScheduleFree(WarmUp(Constant(0.4), steps), beta=0.7), np.array([1.0, -2.0, 3.0])
    state = rule.init(z)
    w, visited, weights = z, [], []
    for t in range(1, 30):
        rate = 0.4 * min(t / steps, 1.0)
        x = np.average(visited, axis=0, weights=weights) if visited else z
        y = 0.3 * z + 0.7 * x
        assert_allclose(rule.at(state, w), y, rtol=1e-11)
        w, state = rule.apply(H * rule.at(state, w), state, w)
        z = z - rate * H * y
        visited.append(z)
        weights.append(rate**2)
        assert_allclose(rule.model(state, w), np.average(visited, axis=0, weights=weights), rtol=1e-11)


# ------------------------------------------------------------------------ closed forms on a bowl


def test_gradient_descent_on_a_bowl_is_a_power() -> None:
    rule, w = SGD(0.4), np.ones(3)
    state = rule.init(w)
    for _ in range(25):
        w, state = rule.apply(H * w, state, w)
    assert_allclose(w, (1.0 - 0.4 * H) ** 25, rtol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_on_a_bowl_is_a_power_of_a_matrix(nesterov: bool) -> None:
    """Of (w, v): v' = mu v - eta h (w + mu v or w), w' = w + v'."""
    rule: Optimizer = Nesterov(0.3, 0.6) if nesterov else Momentum(0.3, 0.6)
    w = np.ones(3)
    state = rule.init(w)
    for _ in range(25):
        w, state = rule.apply(H * rule.at(state, w), state, w)
    for j, h in enumerate(H):
        ahead = 0.6 if nesterov else 0.0
        velocity = np.array([-0.3 * h, 0.6 - 0.3 * h * ahead])
        step = np.array([[1.0, 0.0], [0.0, 0.0]]) + np.array([velocity, velocity])
        assert_allclose(w[j], (np.linalg.matrix_power(step, 25) @ [1.0, 0.0])[0], rtol=1e-11)


def test_schedules_in_closed_form() -> None:
    steps = np.arange(1, 30)

    def rates(schedule: Schedule) -> list[float]:
        return [schedule.rate(int(t), schedule.init()) for t in steps]

    assert_allclose(rates(Constant(0.3)), 0.3)
    assert_allclose(rates(InverseScaling(0.3, 0.7)), 0.3 * steps**-0.7, rtol=1e-14)
    half = 0.05 + 0.25 * np.cos(0.5 * np.pi * np.minimum((steps - 1) / 12, 1.0)) ** 2
    assert_allclose(rates(Cosine(0.3, steps=12, eta_min=0.05)), half, rtol=1e-12)
    rising = np.where(steps < 6, 0.3 * steps / 6, 0.3 / np.maximum(steps - 5, 1))
    assert_allclose(rates(WarmUp(InverseScaling(0.3, 1.0), 6)), rising, rtol=1e-14)
