"""Ridge regression with the penalty chosen by cross-validation over folds, in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.penalties import L2, Penalty, Unpenalised
from daskml_dist.solvers._base import Conversation, Problem, Solution, Solver, State
from daskml_dist.solvers.fold_sums import FoldSums, fold_factors, fold_sums
from daskml_dist.splits._base import BoolArray
from daskml_dist.types import FloatArray

Score = Literal["r2", "neg_mean_squared_error", "neg_root_mean_squared_error"]

_CONSTANT = 1e-13  # of the root mean square of a target: a spread that is rounding


@final
@dataclass(frozen=True)
class RidgeSearch(Solver):
    """The penalty alpha |w|^2 on the sum of squares with the best score on held-out rows.

    Sums are gathered fold by fold in one pass (``fold_sums.py``). Scores are averaged over targets, and then
    over splits, which count alike. Where moments have lost digits that matter, a second pass asks for
    triangular factors.

    The last state holds ``scores`` (A, S), and the numbers ``alpha`` and ``score``.

    Attributes
    ----------
    alphas : A values of at least 0, in any order.
    scoring : what is best.
    """

    alphas: tuple[float, ...]
    scoring: Score = "r2"
    name: ClassVar[str] = "ridge-search"
    needs: ClassVar[frozenset[str]] = frozenset({"quadratic loss"})
    many_targets: ClassVar[bool] = True

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        assert problem.folds is not None
        sums = yield from fold_sums(problem)
        self._refuse_single_rows(problem, sums)
        scores, sure = self._searched(problem, sums)
        if not sure:
            sums = yield from fold_factors(problem, sums)
            scores, _ = self._searched(problem, sums)
        means = scores.mean(axis=1)
        best = int(np.argmax(means))
        solution, sure = ridge_of(sums, problem.folds.everything, problem, self.alphas[best])
        if not sure:
            sums = yield from fold_factors(problem, sums)
            solution, _ = ridge_of(sums, problem.folds.everything, problem, self.alphas[best])
        numbers = {"alpha": self.alphas[best], "score": float(means[best])}
        return Solution(replace(solution.state, arrays={"scores": scores}, numbers=numbers), True)

    def _searched(self, problem: Problem, sums: FoldSums) -> tuple[FloatArray, bool]:
        """(A, S) scores, and whether they are known well enough."""
        assert problem.folds is not None
        scores, sure = [], True
        for trains, tests in zip(problem.folds.trains, problem.folds.tests, strict=True):
            fits = [ridge_of(sums, trains, problem, alpha) for alpha in self.alphas]
            points = [solution.state.point for solution, _ in fits]
            w = np.stack([point.w for point in points if point is not None])
            b = np.stack([point.b for point in points if point is not None])
            assert points[0] is not None
            errors, enough = sums.errors(tests, w, b, points[0].centre)
            scored, clear = self._scores(sums, tests, errors)
            scores.append(scored)
            sure = sure and enough and clear and all(good for _, good in fits)
        return np.column_stack(scores), sure

    def _scores(self, sums: FoldSums, tests: BoolArray, errors: FloatArray) -> tuple[FloatArray, bool]:
        """(A,) scores from (A, t) mean squared errors, and whether they are known well enough."""
        if self.scoring == "neg_mean_squared_error":
            return -errors.mean(axis=1), True
        if self.scoring == "neg_root_mean_squared_error":
            return -np.sqrt(errors).mean(axis=1), True
        spread, sure = spread_of(sums, tests)
        return determination(errors, spread).mean(axis=1), sure

    def _refuse_single_rows(self, problem: Problem, sums: FoldSums) -> None:
        assert problem.folds is not None
        for split, tests in enumerate(problem.folds.tests):
            if self.scoring == "r2" and sums.rows[tests].sum() < 2:
                raise InvalidData(
                    f"Split {split} tests one row, for which r2 is not defined. Use fewer folds, or "
                    "scoring='neg_mean_squared_error'."
                )


def ridge_of(
    sums: FoldSums, folds: BoolArray, problem: Problem, alpha: float | FloatArray
) -> tuple[Solution, bool]:
    """The ridge regression over some folds, and whether it is known well enough.

    alpha : on the sum of squares; one number, or one for each target.
    """
    weight = sums.products(folds)[-1, -1]
    penalty: Penalty = L2(alpha / weight) if np.any(alpha) else Unpenalised()
    return sums.ridge(folds, replace(problem, penalty=penalty))


def spread_of(sums: FoldSums, folds: BoolArray) -> tuple[FloatArray, bool]:
    """(t,) the variance of targets over some folds, and whether it is known well enough."""
    p, t = len(sums.x_shift), len(sums.y_shift)
    products = sums.products(folds)
    total = products[-1, -1]
    mean = sums.y_shift + products[-1, p : p + t] / total
    spread, sure = sums.errors(folds, np.zeros((1, t, p)), mean[None], sums.x_shift)
    size = np.diag(products)[p : p + t] / total + np.square(mean)
    return np.where(spread[0] <= _CONSTANT**2 * size, 0.0, spread[0]), sure


def determination(errors: FloatArray, spread: FloatArray) -> FloatArray:
    """(A, t) coefficients of determination; 0 for a constant target that is missed, as in scikit-learn."""
    share = 1.0 - errors / np.where(spread > 0.0, spread, 1.0)
    return np.where(spread > 0.0, share, np.where(errors <= 0.0, 1.0, 0.0))
