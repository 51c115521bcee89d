"""Every loss that the room exports keeps the contract of ``losses/_base.py``.

A new loss adds an example in examples.py. Each check is fed a lie once, at the end.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, log_expit

from daskml_dist import losses
from daskml_dist.losses import (
    Huber,
    JointLoss,
    Kink,
    Logistic,
    Loss,
    PiecewiseLinear,
    Poisson,
    ScaledLoss,
    Smoothed,
    Softmax,
    Squared,
    SquaredHinge,
    Tweedie,
)
from tests.losses.examples import EXAMPLES, KNOWN

every_loss = pytest.mark.parametrize(
    "loss", [example.loss for example in EXAMPLES], ids=lambda loss: loss.name
)


def grid(loss: Loss, span: float = 12.0, size: int = 97) -> tuple[np.ndarray, np.ndarray]:
    """Every target of the domain against margins from -span to span."""
    example = KNOWN[loss.name]
    margins = np.linspace(-span, span, size)
    margins = margins[(margins >= example.margins[0]) & (margins <= example.margins[1])]
    for kink in example.kinks:
        margins = margins[np.abs(margins - kink) > 0.1]
    y, z = np.meshgrid(example.inside, margins)
    return y.ravel(), z.ravel()


def derivative(f: Callable[[np.ndarray], np.ndarray], z: np.ndarray, h: float = 0.02) -> np.ndarray:
    """Central difference of order 8; its error is h^8 / 630 times the ninth derivative, plus eps |f| / h."""
    pairs = [(4 / 5, 1), (-1 / 5, 2), (4 / 105, 3), (-1 / 280, 4)]
    return sum(c * (f(z + k * h) - f(z - k * h)) for c, k in pairs) / h


def assert_derivative(
    claimed: np.ndarray, f: Callable[[np.ndarray], np.ndarray], z: np.ndarray, rounding: np.ndarray | float
) -> None:
    """The claim is within 1e-11 relative, or within what rounding of terms that large allows."""
    error = np.abs(claimed - derivative(f, z))
    allowed = 1e-11 * np.abs(claimed) + 1e-13 * rounding + 1e-13
    worst = int(np.argmax(error - allowed))
    assert error[worst] <= allowed[worst], f"at z = {z[worst]}: {claimed[worst]}, off by {error[worst]}"


# ------------------------------------------------------------------------------- the checks


def check_slope(loss: Loss) -> None:
    y, z = grid(loss)
    terms = 1.0 + np.abs(loss.value(y, z)) + np.abs(y * z) + y**2
    assert_derivative(loss.value_slope(y, z)[1], lambda at: loss.value(y, at), z, terms)


def check_curvature(loss: Loss) -> None:
    y, z = grid(loss)
    _, slope, curvature = loss.value_slope_curvature(y, z)
    assert np.all(curvature >= 0.0)
    if not loss.convex:  # then it is the expected one: the squared slope of the mean over the variance
        assert isinstance(loss, Tweedie)
        expected = np.square(derivative(loss.mean, z)) / loss.mean(z) ** loss.power
        assert_allclose(curvature, expected, rtol=1e-10)
        return
    assert_derivative(curvature, lambda at: loss.value_slope(y, at)[1], z, 1.0 + np.abs(slope) + np.abs(y))


def check_the_calls_agree(loss: Loss) -> None:
    y, z = grid(loss, span=30.0)
    value, slope, curvature = loss.value_slope_curvature(y, z)
    for values in (loss.value(y, z), loss.value_slope(y, z)[0]):
        assert_allclose(values, value, rtol=1e-14, atol=1e-15)
    assert_allclose(loss.value_slope(y, z)[1], slope, rtol=1e-14, atol=1e-15)
    assert {part.dtype for part in (value, slope, curvature)} == {np.dtype(np.float64)}


def check_domain(loss: Loss) -> None:
    example = KNOWN[loss.name]
    assert loss.complain(np.array(example.inside)) is None
    for bad in example.outside:
        complaint = loss.complain(np.array([*example.inside, bad]))
        assert isinstance(complaint, str), f"{bad} was let in"
        assert complaint


def check_reference(loss: Loss) -> None:
    y, z = grid(loss)
    theirs = [KNOWN[loss.name].reference(np.array([a]), np.array([b])) for a, b in zip(y, z, strict=True)]
    assert_allclose(loss.value(y, z), theirs, rtol=1e-9, atol=1e-10)
    together = KNOWN[loss.name].reference(y, z)
    assert np.mean(loss.value(y, z)) == pytest.approx(together, rel=1e-11)


def check_never_negative(loss: Loss) -> None:
    """Never below zero, and zero for a perfect fit (in the limit, where the link is infinite)."""
    y, z = grid(loss, span=40.0, size=501)
    assert np.all(loss.value(y, z) >= 0.0)
    inside = np.array(KNOWN[loss.name].inside)
    with np.errstate(divide="ignore"):
        perfect = np.clip(loss.link(inside), -745.0, None)
    perfect = np.where(np.isfinite(perfect), perfect, 745.0)
    if isinstance(loss, ScaledLoss):  # the scale itself is the price of a perfect fit
        assert_allclose(loss.value(inside, perfect), loss.scale)
        return
    if isinstance(loss, Smoothed):  # and the width is that of rounding off
        assert np.all(loss.value(inside, perfect) <= loss.width / 8)
        return
    allowed = 1e-15 * (1.0 + np.abs(inside * perfect))
    if not isinstance(loss, SquaredHinge | PiecewiseLinear):
        allowed += 1e-14 * loss.value_slope_curvature(inside, perfect)[2]
    assert np.all(loss.value(inside, perfect) <= allowed)


def check_extremes(loss: Loss) -> None:
    """At |z| = 800 and beyond: no NaN, no warning; infinity is allowed, but not negative."""
    y, z = np.meshgrid(KNOWN[loss.name].inside, [-1e300, -1e4, -800.0, -0.0, 0.0, 800.0, 1e4, 1e300])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        parts = (loss.value(y, z), *loss.value_slope(y, z), *loss.value_slope_curvature(y, z), loss.mean(z))
    assert not any(np.isnan(part).any() for part in parts)
    assert np.all(parts[0] >= 0.0)
    assert np.all(parts[-2] >= 0.0)


def check_link(loss: Loss) -> None:
    """Link and mean are each other's inverse, and the mean increases with the margin."""
    low, high = KNOWN[loss.name].means
    means = np.linspace(low, high, 201)
    assert_allclose(loss.mean(loss.link(means)), means, rtol=1e-12, atol=1e-15)
    z = np.linspace(loss.link(np.array([low]))[0], loss.link(np.array([high]))[0], 201)
    assert_allclose(loss.link(loss.mean(z)), z, rtol=1e-11, atol=1e-11)
    assert np.all(np.diff(loss.mean(z)) > 0.0)


def check_mean_is_the_best_constant(loss: Loss) -> None:
    """Of all constant margins, the link of the mean target has the least loss: the slopes sum to zero."""
    y = np.array(KNOWN[loss.name].inside)
    best = loss.link(np.mean(y, keepdims=True))
    _, slope = loss.value_slope(y, np.broadcast_to(best, y.shape))
    assert abs(np.sum(slope)) <= 1e-13 * (1.0 + np.sum(np.abs(slope)))


def check_self_concordance(loss: Loss) -> None:
    """|loss'''| <= M loss'' everywhere, and no smaller M would do."""
    bound = loss.self_concordance
    if bound is None:
        return
    y, z = grid(loss, span=10.0, size=401)
    curvature = loss.value_slope_curvature(y, z)[2]
    third = np.abs(derivative(lambda at: loss.value_slope_curvature(y, at)[2], z))
    assert np.all(third <= bound * curvature * (1.0 + 1e-10) + 1e-12)
    assert np.max(third / curvature) >= 0.99 * bound


def check_quadratic(loss: Loss) -> None:
    """Quadratic says exactly that the curvature does not depend on the margin; without any, it says no."""
    if not loss.smooth:
        assert not loss.quadratic and loss.self_concordance is None
        return
    y, z = grid(loss)
    curvature = loss.value_slope_curvature(y, z)[2]
    assert loss.quadratic == bool(np.ptp(curvature) == 0.0)
    assert loss.quadratic == (loss.self_concordance == 0.0)


def check_many_problems(loss: Loss) -> None:
    """(rows, K) is K times (rows,), bit for bit, and the inputs are left as they were."""
    rng = np.random.default_rng(0)
    y = rng.choice(KNOWN[loss.name].inside, size=(50, 3))
    z = rng.normal(size=(50, 3))
    before = y.copy(), z.copy()
    together = loss.value_slope_curvature(y, z)
    for k in range(3):
        alone = loss.value_slope_curvature(y[:, k].copy(), z[:, k].copy())
        for a, b in zip(together, alone, strict=True):
            assert_array_equal(a[:, k], b)
    assert loss.value(y, z).shape == loss.mean(z).shape == (50, 3)
    assert_array_equal((y, z), before)


def check_stratum(loss: Loss) -> None:
    y = np.array(KNOWN[loss.name].inside)
    rare = loss.stratum(y)
    assert rare.dtype == bool
    assert rare.shape == y.shape


def check_pickles(loss: Loss) -> None:
    again = pickle.loads(pickle.dumps(loss))
    y, z = grid(loss)
    assert type(again) is type(loss)
    assert_array_equal(again.value(y, z), loss.value(y, z))


CHECKS = [check for name, check in list(globals().items()) if name.startswith("check_")]


@pytest.mark.thinned(2)
@every_loss
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_loss(loss: Loss, check: Callable[[Loss], None]) -> None:
    check(loss)


def test_every_loss_is_known_here() -> None:
    assert len(KNOWN) == len(EXAMPLES), "two examples have the same name"
    # a joint loss has other shapes and tests of its own (test_softmax.py)
    bases = {Loss, ScaledLoss, PiecewiseLinear, Kink, JointLoss, Softmax}
    exported = {getattr(losses, name) for name in losses.__all__} - bases
    assert exported == {type(example.loss) for example in EXAMPLES}, "a loss without an example is not tested"


def test_logistic_keeps_its_digits_in_the_tails() -> None:
    z = np.linspace(-700.0, 700.0, 1001)
    for y, sign in ((0.0, 1.0), (1.0, -1.0)):
        value, slope, curvature = Logistic().value_slope_curvature(np.full_like(z, y), z)
        assert_allclose(value, -log_expit(-sign * z), rtol=1e-15)
        assert_allclose(slope, sign * expit(sign * z), rtol=1e-15)
        assert_allclose(curvature, expit(z) * expit(-z), rtol=1e-15)


# ---------------------------------------------------------------------------------- the lies


class SlopeOff(Squared):
    def value_slope(self, y, z):
        value, slope = super().value_slope(y, z)
        return value, slope * (1.0 + 1e-9)


class CurvatureOff(Logistic):
    def value_slope_curvature(self, y, z):
        value, slope, curvature = super().value_slope_curvature(y, z)
        return value, slope, curvature * (1.0 + 1e-9)


class LetsAllIn(Poisson):
    def complain(self, y):
        return None


class WholeDeviance(Poisson):
    def value(self, y, z):
        return 2.0 * super().value(y, z)


class Negative(Poisson):
    def value(self, y, z):
        return np.exp(z) - y * z  # the constant is left out


class Overflows(Logistic):
    def value(self, y, z):
        return np.log1p(np.exp(z)) - y * z


class ShiftedLink(Poisson):
    def link(self, mean):
        return super().link(mean) + 1e-9


class DoubledMean(Poisson):
    def mean(self, z):
        return 2.0 * super().mean(z)

    def link(self, mean):
        return super().link(mean / 2.0)


class TooConcordant(Logistic):
    self_concordance = 0.9


class Slack(Logistic):
    self_concordance = 2.0


class SaysQuadratic(Poisson):
    quadratic = True


class Overwrites(Squared):
    def value_slope_curvature(self, y, z):
        parts = super().value_slope_curvature(y, z)
        z -= y
        return parts


class Counts(Poisson):
    def stratum(self, y):
        return y


class Unpicklable(Squared):
    def __init__(self):
        self.value = lambda y, z: Squared.value(self, y, z)


@pytest.mark.parametrize(
    ("check", "lie"),
    [
        (check_slope, SlopeOff()),
        (check_curvature, CurvatureOff()),
        (check_the_calls_agree, WholeDeviance()),
        (check_domain, LetsAllIn()),
        (check_reference, WholeDeviance()),
        (check_never_negative, Negative()),
        (check_extremes, Overflows()),
        (check_link, ShiftedLink()),
        (check_mean_is_the_best_constant, DoubledMean()),
        (check_self_concordance, TooConcordant()),
        (check_self_concordance, Slack()),
        (check_quadratic, SaysQuadratic()),
        (check_many_problems, Overwrites()),
        (check_stratum, Counts()),
        (check_pickles, Unpicklable()),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_lie_is_seen(check: Callable[[Loss], None], lie: Loss) -> None:
    with pytest.raises((AssertionError, FloatingPointError, AttributeError, pickle.PicklingError)):
        check(lie)


def test_every_check_was_fed_a_lie() -> None:
    mark = next(mark for mark in test_a_lie_is_seen.pytestmark if mark.name == "parametrize")
    assert {case[0] for case in mark.args[1]} == set(CHECKS)


def test_the_scale_of_huber_has_the_derivatives_that_it_claims() -> None:
    """The slope by differences, and the Hessian in (margin, scale) as the curvature times (1, v) (1, v)'."""
    y, z = np.meshgrid([0.0, 4.0], np.linspace(-3.0, 3.0, 13) + 0.013)
    at, h = Huber(1.5, 0.7), 1e-5
    up, down = at.at_scale(0.7 + h), at.at_scale(0.7 - h)
    assert_allclose(at.scale_slope(y, z), (up.value(y, z) - down.value(y, z)) / (2 * h), atol=1e-8)
    curvature, v = at.value_slope_curvature(y, z)[2], at.scale_direction(y, z)
    mixed = (up.value_slope(y, z)[1] - down.value_slope(y, z)[1]) / (2 * h)
    assert_allclose(curvature * v, mixed, atol=1e-6)
    own = (up.scale_slope(y, z) - down.scale_slope(y, z)) / (2 * h)
    assert_allclose(curvature * v**2, own, atol=1e-6)
    assert np.isinf(at.at_scale(0.0).value(y, z)).all()
