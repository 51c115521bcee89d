"""Lasso and elastic net with penalties chosen by cross-validation, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.penalties import Bounded, ElasticNet, Penalty
from daskml_dist.solvers._base import Conversation, Problem, Solution, Solver, State
from daskml_dist.solvers.box_lasso import BoxLasso
from daskml_dist.solvers.fold_sums import FoldSums, fold_factors, fold_sums
from daskml_dist.solvers.least_squares import of_least_pull
from daskml_dist.solvers.normal import Centred, Normal, scaled
from daskml_dist.splits._base import BoolArray
from daskml_dist.types import FloatArray

_LEAST = float(np.finfo(np.float64).resolution)


@final
@dataclass(frozen=True)
class LassoSearch(Solver):
    """The penalty alpha (r |w|_1 + (1 - r) |w|^2 / 2) with the least mean squared error on held-out rows.

    Moments are gathered fold by fold in one pass. From them each split is trained on for each penalty,
    along a path from the largest alpha downwards, and its errors on the rows that it tests are known
    (``fold_sums.py``). Errors are averaged over splits, which count alike. Where the errors are so small
    that moments have lost them, a second pass asks for triangular factors.

    The last state holds ``alphas`` (R, A), ``errors`` (R, A, S), and the numbers ``alpha`` and ``l1_ratio``.

    Attributes
    ----------
    l1_ratios : R values of r.
    alphas : A values in descending order, the same for each r; or how many, from the least alpha at which
        all coefficients are zero down to ``eps`` times that, in equal ratios.
    positive : whether coefficients must not be negative.
    """

    l1_ratios: tuple[float, ...] = (1.0,)
    alphas: int | tuple[float, ...] = 100
    eps: float = 1e-3
    positive: bool = False
    name: ClassVar[str] = "lasso-search"
    needs: ClassVar[frozenset[str]] = frozenset({"quadratic loss"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        assert problem.folds is not None
        sums = yield from fold_sums(problem)
        alphas, errors, sure = self._searched(problem, sums)
        if not sure:
            sums = yield from fold_factors(problem, sums)
            alphas, errors, _ = self._searched(problem, sums)
        ratio, place = self.chosen(errors)
        alpha, l1_ratio = float(alphas[ratio, place]), self.l1_ratios[ratio]
        chosen = replace(problem, penalty=self._penalty(alpha, l1_ratio))
        ridge = np.full(problem.features, alpha * (1.0 - l1_ratio))
        whole = sums.moments(problem.folds.everything, intercept=problem.intercept)
        solution = of_least_pull(chosen, Normal.of(whole, ridge), sums.passes)
        told = replace(
            solution.state,
            arrays={"alphas": alphas, "errors": errors},
            numbers={"alpha": alpha, "l1_ratio": l1_ratio},
        )
        return Solution(told, True)

    @staticmethod
    def chosen(errors: FloatArray) -> tuple[int, int]:
        """Which r and which alpha has the least mean error; of equal ones the first."""
        first = np.unravel_index(int(np.argmin(errors.mean(axis=2))), errors.shape[:2])
        return int(first[0]), int(first[1])

    def _searched(self, problem: Problem, sums: FoldSums) -> tuple[FloatArray, FloatArray, bool]:
        """(R, A) alphas and (R, A, S) mean squared errors, and whether these are known well enough."""
        assert problem.folds is not None
        alphas = self._grid(sums.moments(problem.folds.everything, intercept=problem.intercept))
        errors, sure = np.empty((*alphas.shape, problem.folds.n_splits)), True
        for split, (trains, tests) in enumerate(zip(problem.folds.trains, problem.folds.tests, strict=True)):
            train = sums.moments(trains, intercept=problem.intercept)
            for ratio, (path, l1_ratio) in enumerate(zip(alphas, self.l1_ratios, strict=True)):
                found, enough = self._split_errors(sums, tests, train, path, l1_ratio)
                errors[ratio, :, split] = found
                sure = sure and enough
        return alphas, errors, sure

    def _split_errors(
        self, sums: FoldSums, tests: BoolArray, train: Centred, path: FloatArray, l1_ratio: float
    ) -> tuple[FloatArray, bool]:
        """(A,) the errors of one split along a path, and whether they are known well enough."""
        w = lasso_path(train, path, l1_ratio, positive=self.positive)
        b = train.y_centre if train.intercept else np.zeros(1)
        errors, enough = sums.errors(tests, w[:, None, :], np.broadcast_to(b, (len(w), 1)), train.centre)
        return errors[:, 0], enough

    def _grid(self, moments: Centred) -> FloatArray:
        """(R, A) alphas."""
        if not isinstance(self.alphas, int):
            return np.tile(self.alphas, (len(self.l1_ratios), 1))
        pulls = moments.right[:, 0] if self.positive else np.abs(moments.right[:, 0])
        most = max(float(pulls.max()), 0.0)
        grids = []
        for largest in (most / l1_ratio for l1_ratio in self.l1_ratios):
            if largest <= _LEAST:  # nothing to learn, whatever the penalty
                grids.append(np.full(self.alphas, _LEAST))
            else:
                grids.append(np.geomspace(largest, largest * self.eps, num=self.alphas))
        return np.stack(grids)

    def _penalty(self, alpha: float, l1_ratio: float) -> Penalty:
        penalty = ElasticNet(alpha * l1_ratio, alpha * (1.0 - l1_ratio))
        return Bounded(penalty, least=0.0) if self.positive else penalty


def lasso_path(
    moments: Centred, alphas: Sequence[float] | FloatArray, l1_ratio: float, *, positive: bool
) -> FloatArray:
    """(A, p) the minima of one target for penalties in descending order, each found from the one before."""
    p = len(moments.matrix)
    lower, upper = np.full(p, 0.0 if positive else -np.inf), np.full(p, np.inf)
    w, path, ridge = np.zeros(p), [], 0.0
    matrix, scale = scaled(moments.matrix, np.zeros(p))
    for alpha in alphas:
        if alpha * (1.0 - l1_ratio) != ridge:
            ridge = alpha * (1.0 - l1_ratio)
            matrix, scale = scaled(moments.matrix, np.full(p, ridge))
        box = BoxLasso(matrix, moments.right[:, 0] / scale, alpha * l1_ratio / scale, lower, upper)
        w = box.minimum(w * scale) / scale
        path.append(w)
    return np.stack(path)
