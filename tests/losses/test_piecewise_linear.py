"""Kinks, their lines, and what rounds them off."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import mean_pinball_loss

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses import EpsilonInsensitive, Hinge, PiecewiseLinear, Quantile, Smoothed
from daskml_dist.losses import SquaredEpsilonInsensitive as Beyond

LOSSES: list[PiecewiseLinear] = [
    Quantile(0.5),
    Quantile(0.07),
    Hinge(),
    EpsilonInsensitive(),
    EpsilonInsensitive(0.4),
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
WIDTHS = [1e-9, 0.1, 3.0]  # the last one is wider than the distance of two kinks
Y, Z = (part.ravel() for part in np.meshgrid([0.0, 1.0], np.linspace(-4.0, 4.0, 321)))


@pytest.mark.parametrize("level", [0.01, 0.3, 0.9])
def test_levels(level: float) -> None:
    assert np.mean(Quantile(level).value(Y, Z)) == pytest.approx(mean_pinball_loss(Y, Z, alpha=level))


@every_loss
@pytest.mark.parametrize("width", WIDTHS)
def test_smoothing_is_above_by_an_eighth_of_the_width_at_most(loss: PiecewiseLinear, width: float) -> None:
    exact, smooth = loss.value(Y, Z), Smoothed(loss, width).value(Y, Z)
    steps = [np.square(kink.high - kink.low) for kink in loss.kinks(Y)]
    assert np.all(smooth >= exact - 1e-14)
    assert np.all(smooth <= exact + sum(steps) * width / 8 + 1e-14)
    far = np.min([np.abs(kink.at - Z) for kink in loss.kinks(Y)], axis=0) > width
    assert_array_equal(smooth[far], exact[far])


@every_loss
@pytest.mark.parametrize("width", WIDTHS)
def test_lines_are_below_the_loss_everywhere(loss: PiecewiseLinear, width: float) -> None:
    for z in np.linspace(-4.0, 4.0, 41):
        at = np.full_like(Z, z)
        line = np.zeros_like(Z)
        for kink, pull, _ in Smoothed(loss, width).pulls(Y, at):
            line += pull * (kink.at - Z)
        assert np.all(line <= loss.value(Y, Z) + 1e-14)


@every_loss
def test_slopes_are_subgradients(loss: PiecewiseLinear) -> None:
    value, slope = loss.value_slope(Y, Z)
    for step in (-1.0, -1e-3, 1e-3, 1.0):
        assert np.all(loss.value(Y, Z + step) >= value + slope * step - 1e-14)


def test_what_is_no_loss_is_refused() -> None:
    for level in (0.0, 1.0, -0.1, np.nan):
        with pytest.raises(UnsupportedParameter, match="expected a number between 0 and 1"):
            Quantile(level)
    for kind in (EpsilonInsensitive, Beyond):
        for epsilon in (-1e-9, np.inf, np.nan):
            with pytest.raises(UnsupportedParameter, match="expected a finite number, 0 or more"):
                kind(epsilon)


def test_without_a_width_the_square_is_twice_the_squared_loss() -> None:
    value, slope, curvature = Beyond(0.0).value_slope_curvature(Y, Z)
    assert_allclose(value, np.square(Y - Z))
    assert_allclose(slope, 2.0 * (Z - Y))
    assert_array_equal(curvature, 2.0)
