"""Ridge classifier with the penalty chosen by its accuracy on held-out rows, in two passes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels import FoldAccuracy, Question
from daskml_dist.solvers._base import Conversation, Problem, Solution, Solver, State, Turn
from daskml_dist.solvers.fold_sums import FoldSums, fold_factors, fold_sums
from daskml_dist.solvers.ridge_search import ridge_of
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class RidgeAccuracy(Solver):
    """The penalty alpha |w|^2 on the sum of squares with the best accuracy on held-out rows.

    One pass gathers what the fits of all splits and penalties need, a second one how often they are right.
    Shares are averaged over splits, which count alike.

    The last state holds ``scores`` (A, S), and the numbers ``alpha`` and ``score``.

    Attributes
    ----------
    alphas : A values of at least 0, in any order.
    """

    alphas: tuple[float, ...]
    name: ClassVar[str] = "ridge-accuracy"
    needs: ClassVar[frozenset[str]] = frozenset({"quadratic loss"})
    many_targets: ClassVar[bool] = True

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        assert problem.folds is not None
        sums = yield from fold_sums(problem)
        question, ends, sure = self._fitted(problem, sums)
        if not sure:
            sums = yield from fold_factors(problem, sums)
            question, ends, _ = self._fitted(problem, sums)
        scores: FloatArray = yield Turn(Question(question), ends[0].state)
        means = scores.mean(axis=1)
        best = int(np.argmax(means))
        numbers = {"alpha": self.alphas[best], "score": float(means[best])}
        told = replace(ends[best].state, passes=sums.passes + 1, arrays={"scores": scores}, numbers=numbers)
        return Solution(told, True)

    def _fitted(self, problem: Problem, sums: FoldSums) -> tuple[FoldAccuracy, list[Solution], bool]:
        """What to ask of the fits of all splits, those of all rows, and whether they are good enough."""
        assert problem.folds is not None
        w, b, centres, sure = [], [], [], True
        for trains in problem.folds.trains:
            fits = [ridge_of(sums, trains, problem, alpha) for alpha in self.alphas]
            points = [fit.state.point for fit, _ in fits if fit.state.point is not None]
            w.append(np.stack([point.w for point in points]))
            b.append(np.stack([point.b for point in points]))
            centres.append(points[0].centre)
            sure = sure and all(good for _, good in fits)
        whole = [ridge_of(sums, problem.folds.everything, problem, alpha) for alpha in self.alphas]
        question = FoldAccuracy(problem.folds, np.stack(w), np.stack(b), np.stack(centres))
        return question, [fit for fit, _ in whole], sure and all(good for _, good in whole)
