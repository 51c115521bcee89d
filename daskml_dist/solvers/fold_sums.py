"""What is known of the rows of each fold: enough to fit any split, and to say how wrong a model is on any."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.linalg import solve_triangular

from daskml_dist.errors import InvalidData, UnsupportedCombination
from daskml_dist.kernels import (
    FoldFactors,
    FoldFactorsAnswer,
    FoldMoments,
    FoldMomentsAnswer,
    Glimpse,
    GlimpseAnswer,
    Question,
)
from daskml_dist.kernels.tsqr import factor
from daskml_dist.solvers import least_squares
from daskml_dist.solvers._base import Problem, Solution, State, Turn
from daskml_dist.solvers.least_squares import GLIMPSED, of_factor, of_moments, small
from daskml_dist.solvers.normal import Centred, Normal
from daskml_dist.splits._base import BoolArray
from daskml_dist.types import FloatArray

_DIGITS = 1e-9  # how wrong a mean squared error from moments may be, relatively
_COMMON = 1e-7  # least reciprocal condition of what a common basis of all penalties is found from
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class FoldSums(ABC):
    """Sums over the rows of each fold, of (x - x_shift, y - y_shift, 1), by weight.

    Attributes
    ----------
    x_shift, y_shift : (p,), (t,).
    passes : how many were made for them.
    """

    x_shift: FloatArray
    y_shift: FloatArray
    passes: int

    @property
    @abstractmethod
    def rows(self) -> FloatArray:
        """(F,) how many there are."""

    @abstractmethod
    def products(self, folds: BoolArray) -> FloatArray:
        """(p + t + 1, p + t + 1) sums of products over some folds."""

    @abstractmethod
    def squares(self, folds: BoolArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(K,) sum over rows u of (u'd)^2 for (K, p + t + 1) directions d, and how wrong they may be."""

    @abstractmethod
    def ridge(self, folds: BoolArray, problem: Problem) -> tuple[Solution, bool]:
        """The minimum over some folds with the penalty of the problem; whether it is known well enough."""

    @abstractmethod
    def inverses(
        self, folds: BoolArray, alphas: FloatArray, *, intercept: bool
    ) -> tuple[FloatArray, FloatArray]:
        """(m, p, p) bases V and (A, p) scales v of the inverses of the Gram matrix plus alpha I.

        Each inverse is V' diag(v) V; m is 1, or A where a common basis would lose digits.
        """

    def moments(self, folds: BoolArray, *, intercept: bool) -> Centred:
        """Second moments about the means of some folds."""
        return Centred.of(self.products(folds), self.x_shift, self.y_shift, intercept=intercept)

    def errors(
        self, folds: BoolArray, w: FloatArray, b: FloatArray, centre: FloatArray
    ) -> tuple[FloatArray, bool]:
        """(K, t) mean squared errors on some folds, and whether they are known well enough.

        Parameters
        ----------
        folds : (F,) whether a fold counts.
        w, b : (K, t, p) and (K, t), models whose intercepts are given at the (p,) ``centre``.
        """
        models, t, p = w.shape
        directions = np.zeros((models, t, p + t + 1))
        directions[:, :, :p] = -w
        directions[:, :, p : p + t] = np.eye(t)
        directions[:, :, -1] = self.y_shift - b - w @ (self.x_shift - centre)
        squares, noise = self.squares(folds, directions.reshape(models * t, -1))
        total = self.products(folds)[-1, -1]
        return squares.reshape(models, t) / total, bool((noise <= _DIGITS * squares).all())


@final
@dataclass(frozen=True)
class ByMoments(FoldSums):
    """From products of the rows."""

    answer: FoldMomentsAnswer

    @property
    def rows(self) -> FloatArray:
        return self.answer.rows

    def products(self, folds: BoolArray) -> FloatArray:
        return np.asarray(self.answer.products[folds].sum(axis=0))

    def squares(self, folds: BoolArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        products = self.products(folds)
        squares = np.einsum("kq,kq->k", directions @ products, directions)
        sizes = np.abs(directions) @ np.sqrt(np.diag(products))
        return np.maximum(squares, 0.0), 4.0 * _EPS * np.square(sizes)

    def ridge(self, folds: BoolArray, problem: Problem) -> tuple[Solution, bool]:
        return of_moments(problem, self.products(folds), self.x_shift, self.y_shift, self.passes)

    def inverses(
        self, folds: BoolArray, alphas: FloatArray, *, intercept: bool
    ) -> tuple[FloatArray, FloatArray]:
        moments = self.moments(folds, intercept=intercept)
        p, least = len(moments.matrix), alphas.min()
        values, vectors = np.linalg.eigh(moments.weight * moments.matrix)
        values = values.clip(0.0)
        if values[0] + least >= _COMMON * (values[-1] + least):
            return vectors.T[None], 1.0 / (values + alphas[:, None])
        normals = [Normal.of(moments, np.full(p, alpha / moments.weight)) for alpha in alphas]
        bases = [
            solve_triangular(normal.factor, np.diag(1.0 / normal.scale), lower=True) for normal in normals
        ]
        return np.stack(bases), np.full((len(alphas), p), 1.0 / moments.weight)


@final
@dataclass(frozen=True)
class ByFactors(FoldSums):
    """From triangular factors of the rows, which are not squared."""

    answer: FoldFactorsAnswer

    @property
    def rows(self) -> FloatArray:
        return self.answer.rows

    def products(self, folds: BoolArray) -> FloatArray:
        rows = self._rows(folds)
        return np.asarray(rows.T @ rows)

    def squares(self, folds: BoolArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        squares = np.square(self._rows(folds) @ directions.T).sum(axis=0)
        return squares, np.zeros(len(directions))

    def ridge(self, folds: BoolArray, problem: Problem) -> tuple[Solution, bool]:
        return of_factor(problem, self._factor(folds), self.x_shift, self.y_shift, self.passes), True

    def inverses(
        self, folds: BoolArray, alphas: FloatArray, *, intercept: bool
    ) -> tuple[FloatArray, FloatArray]:
        p, least = len(self.x_shift), np.sqrt(alphas.min())
        rows = self._factor(folds)[1:, 1 : p + 1] if intercept else self._factor(folds)[:, 1 : p + 1]
        _, values, vectors = np.linalg.svd(rows)
        values = np.append(values, np.zeros(p - len(values)))
        if np.hypot(values[-1], least) >= _COMMON * np.hypot(values[0], least):
            return vectors[None], 1.0 / (np.square(values) + alphas[:, None])
        bases = []
        for alpha in alphas:
            tall = np.concatenate([rows, np.sqrt(alpha) * np.eye(p)])
            scale = np.linalg.norm(tall, axis=0)
            bases.append(solve_triangular(factor([tall / scale]), np.diag(1.0 / scale), trans="T"))
        return np.stack(bases), np.ones((len(alphas), p))

    def _factor(self, folds: BoolArray) -> FloatArray:
        """The factor of (1, x - x_shift, y - y_shift) over some folds, by weight."""
        return factor([self.answer.factors[fold] for fold in np.flatnonzero(folds)])

    def _rows(self, folds: BoolArray) -> FloatArray:
        rows = np.concatenate([self.answer.factors[fold] for fold in np.flatnonzero(folds)])
        return np.roll(rows, -1, axis=1)  # the column of ones last


Asking = Generator[Turn, Any, FoldSums]


def fold_sums(problem: Problem) -> Asking:
    """Ask for the sums over the folds of a problem, in one pass."""
    most = least_squares.MOST_FEATURES
    if problem.features > most:
        raise UnsupportedCombination(
            f"X has {problem.features} features. A search for a penalty of least squares keeps p x p numbers "
            f"of each fold, and supports up to {most} features. Use fewer features, or fit Ridge with each "
            "penalty to the parts of train_test_split."
        )
    x_shift, y_shift = np.zeros(problem.features), np.zeros(problem.targets)
    if problem.intercept:
        glimpse: GlimpseAnswer = yield Turn(Question(Glimpse(GLIMPSED)), State())
        x_shift, y_shift = glimpse.x_mean, glimpse.y_mean
    assert problem.folds is not None
    if small(problem) or problem.max_passes == 1:  # no second pass could mend the moments
        return (yield from _factors(problem, x_shift, y_shift, 1))
    reply = yield Turn(Question(FoldMoments(problem.folds, x_shift, y_shift)), State())
    sums = ByMoments(x_shift, y_shift, 1, reply)
    refuse_empty(problem, sums)
    return sums


def fold_factors(problem: Problem, sums: FoldSums) -> Asking:
    """Ask again, for what keeps all digits."""
    return (yield from _factors(problem, sums.x_shift, sums.y_shift, sums.passes + 1))


def refuse_empty(problem: Problem, sums: FoldSums) -> None:
    """Refuse splits of which one side has no weight."""
    assert problem.folds is not None
    sides = {"tests": problem.folds.tests, "trains on": problem.folds.trains}
    for what, each in sides.items():
        for split, folds in enumerate(each):
            if not sums.products(folds)[-1, -1] > 0.0:
                raise InvalidData(
                    f"The rows that split {split} {what} have no weight: all of them have sample_weight "
                    "zero. Leave out rows without weight, or use fewer folds."
                )


def _factors(problem: Problem, x_shift: FloatArray, y_shift: FloatArray, passes: int) -> Asking:
    assert problem.folds is not None
    reply: FoldFactorsAnswer
    reply = yield Turn(Question(FoldFactors(problem.folds, x_shift, y_shift)), State(passes - 1))
    sums = ByFactors(x_shift, y_shift, passes, reply)
    refuse_empty(problem, sums)
    return sums
