"""Every penalty that the room exports keeps the contract of ``penalties/_base.py``.

A new penalty adds its examples and a reference. Each check is fed a lie once, at the end.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar

from daskml_dist import penalties
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.penalties import L2, Bounded, ElasticNet, Penalty, Scaled, Unpenalised

EXAMPLES: list[Penalty] = [
    Unpenalised(),
    L2(0.0),
    L2(0.3),
    L2(250.0),
    ElasticNet(0.7),
    ElasticNet(0.1, 2.0),
    Bounded(Unpenalised(), -1.0, 2.0),
    Bounded(ElasticNet(0.2, 0.3), 0.0),
    Scaled(L2(0.3), 2.5),
    Scaled(Bounded(ElasticNet(0.2, 0.3), -1.0, 2.0), 0.4),
]

#: the penalty of one vector, written once more and slowly
REFERENCE: dict[str, Callable[[Penalty, list[float]], float]] = {
    "none": lambda penalty, w: 0.0,
    "l2": lambda penalty, w: penalty.alpha / 2 * sum(each * each for each in w),
    "elastic net": lambda penalty, w: sum(
        penalty.alpha1 * abs(each) + penalty.alpha2 / 2 * each * each for each in w
    ),
    "bounded": lambda penalty, w: (
        REFERENCE[penalty.penalty.name](penalty.penalty, w)
        if all(penalty.least <= each <= penalty.most for each in w)
        else np.inf
    ),
    "scaled": lambda penalty, w: REFERENCE[penalty.penalty.name](
        penalty.penalty, [penalty.factors * each for each in w]
    ),
}

RNG_SEED = 7


def vectors(rows: int = 20, p: int = 5) -> np.ndarray:
    """(rows, p) coefficients of sizes from 1e-3 to 1e3, with exact zeros among them."""
    rng = np.random.default_rng(RNG_SEED)
    w = rng.normal(size=(rows, p)) * 10.0 ** rng.integers(-3, 4, size=(rows, 1))
    w[::4, 0] = 0.0
    return w


def bounded(penalty: Penalty) -> bool:
    return bool(np.isfinite(penalty.lower) or np.isfinite(penalty.upper))


def _moreau(penalty: Penalty, v: np.ndarray, w: np.ndarray, step: float) -> np.ndarray:
    return penalty.value(v) + np.sum(np.square(v - w), axis=-1) / (2.0 * step)


# ------------------------------------------------------------------------------- the checks


def check_reference(penalty: Penalty) -> None:
    w = vectors()
    theirs = [REFERENCE[penalty.name](penalty, row.tolist()) for row in w]
    assert_allclose(penalty.value(w), theirs, rtol=1e-13)
    assert np.all(penalty.value(w) >= 0.0)
    assert penalty.value(np.zeros(5)) == 0.0


def check_gradient(penalty: Penalty) -> None:
    """Central differences of the smooth part along each coordinate; exact for a quadratic."""
    if bounded(penalty):
        return

    def smooth_part(w: np.ndarray) -> np.ndarray:
        return penalty.value(w) - penalty.l1 * np.sum(np.abs(w), axis=-1)

    for w in vectors():
        h = 0.1 * (1.0 + np.abs(w))
        moves = np.diag(h)
        slope = (smooth_part(w + moves) - smooth_part(w - moves)) / (2.0 * h)
        rounding = 1e-14 * (1.0 + penalty.value(w)) / np.min(h)
        assert_allclose(penalty.gradient(w), slope, rtol=1e-11, atol=rounding)


def check_curvature(penalty: Penalty) -> None:
    for w in vectors():
        h = 0.1 * (1.0 + np.abs(w))
        moves = np.diag(h)
        bend = np.diag(penalty.gradient(w + moves) - penalty.gradient(w - moves)) / (2.0 * h)
        assert np.all(penalty.curvature(w) >= 0.0)
        assert_allclose(penalty.curvature(w), bend, rtol=1e-12, atol=1e-14)


def check_prox_in_one_dimension(penalty: Penalty) -> None:
    """Against a brute-force minimiser of one number."""
    for w in (-30.0, -0.4, 0.0, 1e-3, 2.0):
        for step in (1e-3, 0.5, 40.0):
            start = np.array([w])
            found = minimize_scalar(
                lambda v, start=start, step=step: float(_moreau(penalty, np.array([v]), start, step)),
                bounds=(max(-abs(w) - 1.0, penalty.lower), min(abs(w) + 1.0, penalty.upper)),
                method="bounded",
                options={"xatol": 1e-12},
            )
            # a minimiser that compares values sees half of the digits
            assert penalty.prox(start, step)[0] == pytest.approx(found.x, rel=1e-6, abs=1e-6)


def check_prox_is_a_minimum(penalty: Penalty) -> None:
    """In many dimensions no point is better by more than rounding: near, far, the start, the origin."""
    rng = np.random.default_rng(RNG_SEED)
    for w in vectors():
        for step in (0.01, 1.0, 100.0):
            best = penalty.prox(w, step)
            rays = rng.normal(size=(60, w.size)) * np.max(np.abs(w))
            others = np.vstack([best + scale * rays for scale in (1e-4, 1e-2, 1.0)] + [w, np.zeros_like(w)])
            least = _moreau(penalty, best, w, step)
            assert np.all(least <= _moreau(penalty, others, w, step) * (1.0 + 1e-12))


def check_strong_convexity(penalty: Penalty) -> None:
    """penalty - mu |w|^2 / 2 is convex along every chord, and with a larger mu it is not."""
    a, b = (np.clip(each, penalty.lower, penalty.upper) for each in (vectors(), vectors()[::-1]))
    mu = penalty.strong_convexity
    assert mu >= 0.0
    bend = penalty.value(a) + penalty.value(b) - 2.0 * penalty.value((a + b) / 2.0)
    chord = np.sum(np.square(a - b), axis=-1) / 4.0
    rounding = 1e-13 * (penalty.value(a) + penalty.value(b) + mu * chord)
    assert np.all(bend >= mu * chord - rounding)
    assert np.any(bend < (1.01 * mu + 1e-9) * chord)


def check_many_problems(penalty: Penalty) -> None:
    """(K, p) is K times (p,), bit for bit, and w is left as it was."""
    w = vectors(rows=4)
    before = w.copy()
    assert np.shape(penalty.value(w)) == (4,)
    assert np.shape(penalty.value(w[0])) == ()
    for k in range(4):
        assert_array_equal(penalty.value(w)[k], penalty.value(w[k]))
        for call in (penalty.gradient, penalty.curvature, lambda v: penalty.prox(v, 0.5)):
            assert call(w).shape == w.shape
            assert_array_equal(call(w)[k], call(w[k]))
    assert_array_equal(w, before)


def check_smooth(penalty: Penalty) -> None:
    """Smooth says that the value is finite everywhere and has a derivative at zero."""
    w = np.full((1, 3), 1e-6)
    kink = penalty.value(w) + penalty.value(-w) > 1e-9
    endless = np.isinf(penalty.value(1e12 * w)) or np.isinf(penalty.value(-1e12 * w))
    assert penalty.smooth == (not kink and not endless)


def check_pickles(penalty: Penalty) -> None:
    assert pickle.loads(pickle.dumps(penalty)) == penalty


CHECKS = [check for name, check in list(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize(
    "penalty",
    [
        L2(np.array([0.1, 0.0, 3.0])),
        ElasticNet(np.array([0.1, 2.0, 0.0]), np.array([0.0, 0.3, 1.0])),
        ElasticNet(0.5, np.array([0.0, 0.3, 1.0])),
        Bounded(L2(np.array([0.1, 0.0, 3.0])), -1e3, 1e3),
        Scaled(L2(np.array([0.1, 0.0, 3.0])), 2.0),
        *EXAMPLES,
    ],
)
def test_that_of_one_of_many_problems(penalty: Penalty) -> None:
    w = vectors(3)
    for k in range(3):
        own = penalty.of(k)
        assert own.value(w[k]) == penalty.value(w)[k]
        assert_array_equal(own.gradient(w[k]), penalty.gradient(w)[k])
        assert_array_equal(own.curvature(w[k]), penalty.curvature(w)[k])
        assert_array_equal(own.prox(w[k], 0.7), penalty.prox(w, 0.7)[k])


def test_factors_of_each_coefficient() -> None:
    w, factors = vectors(), np.array([1.0, 3.0, 0.2, 1.0, 7.0])
    together = Scaled(ElasticNet(0.2, 0.3), factors)
    alone = [Scaled(ElasticNet(0.2, 0.3), factor) for factor in factors]
    each = [one.value(w[:, [j]]) for j, one in enumerate(alone)]
    assert_allclose(together.value(w), np.sum(each, axis=0), rtol=1e-14)
    for call in ("gradient", "curvature"):
        parts = [getattr(one, call)(w[:, [j]]) for j, one in enumerate(alone)]
        assert_array_equal(getattr(together, call)(w), np.hstack(parts))
    assert_array_equal(
        together.prox(w, 0.3), np.hstack([one.prox(w[:, [j]], 0.3) for j, one in enumerate(alone)])
    )
    assert_array_equal(together.l1, [one.l1 for one in alone])
    assert together.strong_convexity == pytest.approx(0.3 * 0.04)
    with pytest.raises(UnsupportedParameter, match="finite and above 0"):
        Scaled(L2(1.0), 0.0)


@pytest.mark.parametrize("penalty", EXAMPLES, ids=str)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_penalty(penalty: Penalty, check: Callable[[Penalty], None]) -> None:
    check(penalty)


def test_every_penalty_is_known_here() -> None:
    exported = {getattr(penalties, name) for name in penalties.__all__} - {Penalty}
    assert {type(penalty) for penalty in EXAMPLES} == exported, "a penalty without an example is not tested"
    assert {penalty.name for penalty in EXAMPLES} == set(REFERENCE)


# ---------------------------------------------------------------------------------- the lies


class NotHalved(L2):
    def value(self, w):
        return 2.0 * super().value(w)


class GradientOff(L2):
    def gradient(self, w):
        return super().gradient(w) * (1.0 + 1e-9)


class CurvatureOff(L2):
    def curvature(self, w):
        return super().curvature(w) * (1.0 + 1e-9)


class ProxOff(L2):
    def prox(self, w, step):
        return w / (1.0 + 1.01 * step * self.alpha)


class TooConvex(L2):
    @property
    def strong_convexity(self):
        return 1.001 * self.alpha


class TooFlat(L2):
    @property
    def strong_convexity(self):
        return 0.9 * self.alpha


class SumsAll(L2):
    def value(self, w):
        return np.asarray(0.5 * self.alpha * np.sum(np.square(w)))


class SaysRough(L2):
    @property
    def smooth(self):
        return False


@dataclass(frozen=True)
class Forgets(L2):
    def __reduce__(self):
        return (Forgets, (replace(self, alpha=0.0).alpha,))


@pytest.mark.parametrize(
    ("check", "lie"),
    [
        (check_reference, NotHalved),
        (check_gradient, GradientOff),
        (check_curvature, CurvatureOff),
        (check_prox_in_one_dimension, ProxOff),
        (check_prox_is_a_minimum, ProxOff),
        (check_strong_convexity, TooConvex),
        (check_strong_convexity, TooFlat),
        (check_many_problems, SumsAll),
        (check_smooth, SaysRough),
        (check_pickles, Forgets),
    ],
    ids=lambda value: value.__name__,
)
def test_a_lie_is_seen(check: Callable[[Penalty], None], lie: type[L2]) -> None:
    with pytest.raises(AssertionError):
        check(lie(0.3))


def test_every_check_was_fed_a_lie() -> None:
    mark = next(mark for mark in test_a_lie_is_seen.pytestmark if mark.name == "parametrize")
    assert {case[0] for case in mark.args[1]} == set(CHECKS)
