"""Ridge regression with the penalty chosen by leaving out one row at a time, in two passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import LeaveOneOut, LeaveOneOutAnswer, Point, Question
from daskml_dist.solvers._base import Conversation, Problem, Solution, Solver, State, Turn
from daskml_dist.solvers.fold_sums import FoldSums, fold_factors, fold_sums
from daskml_dist.solvers.ridge_search import determination, ridge_of, spread_of
from daskml_dist.splits._base import FoldArray, Folds, IntArray
from daskml_dist.types import AnyArray, FloatArray

LeaveOneOutScore = Literal["squared error by row", "neg_mean_squared_error", "r2"]

_ALONE = 1e-8  # one minus a leverage, below which float64 knows too few digits of it


@final
@dataclass(frozen=True)
class _OneFold(Folds):
    """All rows in one fold."""

    def of(
        self, chunk: int, rows: int, y: AnyArray | None = None, groups: AnyArray | None = None
    ) -> FoldArray:
        return np.zeros(rows, dtype=np.int32)

    @property
    def sizes(self) -> IntArray | None:
        return None


_ALL = np.ones((1, 1), dtype=np.bool_)
_EVERYTHING = _OneFold(_ALL, _ALL, ())


@final
@dataclass(frozen=True)
class RidgeLeaveOneOut(Solver):
    """The penalty alpha |w|^2 on the sum of squares with the best score on rows that were left out.

    One pass gathers what the fits of all penalties need, a second one their leave-one-out errors, which
    follow from residuals and leverages (``LeaveOneOut``). Where moments have lost digits that matter,
    there is a pass for a triangular factor between them.

    The last state holds ``alpha`` and ``score``, (1,) or (t,), and ``each`` (n, t, A) where it was asked for.

    Attributes
    ----------
    alphas : A values above 0, in any order.
    scoring : minus sum_i s_i e_i^2 / n, minus sum_i s_i e_i^2 / sum_i s_i, or the share of the variance.
    per_target : whether each target has a penalty of its own.
    keep : whether the errors of each row are wanted.
    """

    alphas: tuple[float, ...]
    scoring: LeaveOneOutScore = "squared error by row"
    per_target: bool = False
    keep: bool = False
    name: ClassVar[str] = "ridge-leave-one-out"
    needs: ClassVar[frozenset[str]] = frozenset({"quadratic loss"})
    many_targets: ClassVar[bool] = True

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if problem.rows < 2:
            raise InvalidData("Leaving out one row needs 2 rows or more, and X has 1 sample.")
        problem = replace(problem, folds=_EVERYTHING)
        sums = yield from fold_sums(problem)
        fits = [ridge_of(sums, _ALL[0], problem, alpha) for alpha in self.alphas]
        if not all(good for _, good in fits):
            sums = yield from fold_factors(problem, sums)
            fits = [ridge_of(sums, _ALL[0], problem, alpha) for alpha in self.alphas]
        question = self._question(problem, sums, [solution for solution, _ in fits])
        reply: LeaveOneOutAnswer = yield Turn(Question(question), fits[0][0].state)
        self._refuse_alone(reply)
        scores = self._scores(sums, reply)
        best = np.argmax(scores, axis=0)
        alpha = np.asarray(self.alphas)[best]
        solution, _ = ridge_of(sums, _ALL[0], problem, alpha if self.per_target else alpha[0])
        arrays = {"alpha": alpha, "score": scores[best, np.arange(len(best))]}
        if reply.each is not None:
            arrays["each"] = reply.each
        return Solution(replace(solution.state, passes=sums.passes + 1, arrays=arrays), True)

    def _question(self, problem: Problem, sums: FoldSums, fits: list[Solution]) -> LeaveOneOut:
        points = [solution.state.point for solution in fits if solution.state.point is not None]
        together = Point(
            np.concatenate([point.w for point in points]),
            np.concatenate([point.b for point in points]),
            points[0].centre,
            problem.intercept,
        )
        bases, scales = sums.inverses(_ALL[0], np.asarray(self.alphas), intercept=problem.intercept)
        share = 1.0 / sums.products(_ALL[0])[-1, -1] if problem.intercept else 0.0
        return LeaveOneOut(together, bases, scales, float(share), self.keep)

    def _scores(self, sums: FoldSums, reply: LeaveOneOutAnswer) -> FloatArray:
        """(A, t) scores with a penalty for each target, else (A, 1)."""
        if self.scoring == "squared error by row":
            scores = -reply.errors / reply.rows
        else:
            errors = reply.errors / sums.products(_ALL[0])[-1, -1]
            scores = -errors
            if self.scoring == "r2":
                spread, _ = spread_of(sums, _ALL[0])
                scores = determination(errors, spread)
        return scores if self.per_target else scores.mean(axis=1, keepdims=True)

    def _refuse_alone(self, reply: LeaveOneOutAnswer) -> None:
        """Refuse rows that alone decide how they are predicted."""
        for alpha, leverage in zip(self.alphas, reply.leverage, strict=True):
            if not leverage <= 1.0 - _ALONE:
                raise InvalidData(
                    f"With alpha={alpha:g} a row has leverage 1: it alone decides its own prediction, and "
                    "what the others say of it is lost to rounding. Use larger alphas, or cv=5."
                )
