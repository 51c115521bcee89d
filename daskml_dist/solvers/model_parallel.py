"""Newton's method where no machine holds all coefficients: conjugate gradients in numbers alone."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist.kernels.blockwise import Advance, BlockQuestion, Evaluate, Evaluated, Multiply, Try
from daskml_dist.solvers._base import Problem, Progress

MODEL_PARALLEL = "model-parallel"

BlockConversation = Generator[tuple[BlockQuestion, "Reached | None"], Any, "Reached"]

_STEPS = tuple(0.5**k for k in range(12))
_ARMIJO = 1e-4
_ROUNDING = 1e-14  # of F: changes below that are none
_LOOSEST = 0.1  # residual that conjugate gradients may leave, relative to the gradient, both in the metric
_AIM = 0.01  # share of the tolerance that conjugate gradients may leave of the gap
_TO_ROUNDING = 1e-10  # tolerance below which the coefficients are meant, which F is too flat to tell
_FLOOR = 1e-30  # squared residual, relative to the first one, that float64 cannot go below


@final
@dataclass(frozen=True)
class Reached:
    """Where the conversation stands."""

    passes: int
    progress: Progress
    converged: bool


def model_parallel(problem: Problem) -> BlockConversation:
    """Newton's steps by preconditioned conjugate gradients, over vectors that live in parts elsewhere.

    The preconditioner is block diagonal: the Hessian of each column of blocks (block Jacobi; the diagonal
    where that has many columns). Margins of the direction are kept with the rows, so that a line search reads
    no features. Each question is a pass over X, except for ``Advance`` and ``Try``. The gap is half the
    squared Newton decrement, an estimate. Zhang and Lin 2015 ("DiSCO: distributed optimization for
    self-concordant empirical loss"), section 5, for damped Newton steps by conjugate gradients; Trofimov and
    Genkin 2017 ("d-GLMNET"), for parts by features and their line search.
    """
    here: Evaluated = yield Evaluate(0.0), None
    null_value, passes, first = here.value, 1, here.residual_square
    while True:
        scale = max(abs(here.value), 1e-3 * null_value, float(np.finfo(np.float64).tiny))
        decrease, passes = yield from _conjugate_gradients(problem, here, passes, scale, first)
        gap = decrease / scale
        done = gap <= problem.tol
        found = Reached(passes, _progress(here, gap, decrease), done)
        if passes >= problem.max_passes and not done:
            return found
        values = yield Try(_STEPS), found
        step = _step(here, values, decrease)
        if step == 0.0:
            return Reached(passes, found.progress, done)
        here = yield Evaluate(step), found
        passes += 1
        if done:
            return Reached(passes, _progress(here, gap, decrease), True)


def _conjugate_gradients(
    problem: Problem, here: Evaluated, passes: int, scale: float, first: float
) -> Generator[tuple[BlockQuestion, Reached | None], Any, tuple[float, int]]:
    """A Newton direction; how much lower the model is at its end, and the passes so far."""
    left, beta, decrease = here.residual_square, 0.0, 0.0
    loose = _LOOSEST * min(1.0, np.sqrt(left / first)) if first > 0.0 else 0.0
    aim = max(2.0 * _AIM * problem.tol * scale if problem.tol > _TO_ROUNDING else 0.0, _FLOOR * first)
    while left > aim and passes < problem.max_passes:
        curvature: float = yield Multiply(beta), None
        passes += 1
        if curvature <= 0.0:
            break
        alpha = left / curvature
        decrease += 0.5 * alpha * left
        after: float = yield Advance(alpha), None
        beta, left = after / left, after
        if left <= loose**2 * here.residual_square:
            break
    return decrease + 0.5 * left, passes


def _step(here: Evaluated, values: Any, decrease: float) -> float:
    """The longest of the steps that lowers F enough; 0 where none does."""
    for step, value in zip(_STEPS, values, strict=True):
        allowed = here.value - _ARMIJO * step * 2.0 * decrease + _ROUNDING * abs(here.value)
        if np.isfinite(value) and value <= allowed:
            return step
    return 0.0


def _progress(here: Evaluated, gap: float, decrease: float) -> Progress:
    return Progress(
        here.value, gap, "estimate", float(np.sqrt(here.gradient_square)), float(np.sqrt(2.0 * decrease))
    )
