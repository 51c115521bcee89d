"""The loss of several classes, against SciPy and differences."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax, softmax

from daskml_dist.losses import Logistic, Softmax

RNG = np.random.default_rng(1)
LOSS = Softmax(4)
Z = RNG.standard_normal((50, 4)) * 3.0
Y = RNG.integers(0, 4, 50).astype(float)


def test_values_and_means_are_scipys() -> None:
    own = log_softmax(Z, axis=1)[np.arange(50), Y.astype(int)]
    assert_allclose(LOSS.value(Y, Z), -own, rtol=1e-13, atol=1e-14)
    assert_allclose(LOSS.mean(Z), softmax(Z, axis=1), rtol=1e-14)


def test_three_calls_agree_and_slopes_are_those_of_the_value() -> None:
    value, slope, chances = LOSS.value_slope_curvature(Y, Z)
    assert_allclose(LOSS.value_slope(Y, Z)[0], value)
    assert_allclose(LOSS.value_slope(Y, Z)[1], slope)
    assert_allclose(LOSS.value(Y, Z), value)
    h = 1e-4
    for k in range(4):
        step = h * np.eye(4)[k]
        assert_allclose((LOSS.value(Y, Z + step) - LOSS.value(Y, Z - step)) / (2 * h), slope[:, k], atol=1e-8)
        change = (LOSS.value_slope(Y, Z + step)[1] - LOSS.value_slope(Y, Z - step)[1]) / (2 * h)
        assert_allclose(change, chances * (np.eye(4)[k] - chances[:, [k]]), atol=1e-8)


def test_two_classes_are_the_logistic_loss() -> None:
    y, z = (Y > 1).astype(float), Z[:, 0]
    both = np.column_stack([np.zeros(50), z])
    assert_allclose(Softmax(2).value(y, both), Logistic().value(y, z), rtol=1e-13)
    assert_allclose(Softmax(2).value_slope(y, both)[1][:, 1], Logistic().value_slope(y, z)[1], atol=1e-15)


@pytest.mark.parametrize("size", [800.0, 1e300])
def test_far_margins_give_no_nan(size: float) -> None:
    z = size * np.eye(4)
    value, slope, chances = LOSS.value_slope_curvature(np.array([0.0, 1.0, 3.0, 2.0]), z)
    assert_allclose(value, [0.0, 0.0, size, size])
    assert np.isfinite(slope).all()
    assert_allclose(chances.sum(axis=1), 1.0)


def test_link_and_mean_are_inverse() -> None:
    chances = softmax(Z, axis=1)
    assert_allclose(LOSS.mean(LOSS.link(chances)), chances, rtol=1e-12)
    assert_allclose(LOSS.link(chances).mean(axis=1), 0.0, atol=1e-12)


def test_targets_outside_are_complained_of() -> None:
    assert LOSS.complain(Y) is None
    for outside in (4.0, -1.0, 0.5):
        assert "coded 0 to 3" in str(LOSS.complain(np.array([outside])))


def test_it_pickles() -> None:
    assert pickle.loads(pickle.dumps(LOSS)) == LOSS
