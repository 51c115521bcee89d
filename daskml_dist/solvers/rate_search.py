"""The choice of a learning rate: all candidates descend on all splits, in the same walk over the rows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import Question, Sweep, Together, View
from daskml_dist.solvers._base import Conversation, Problem, Solution, Solver, State, Turn
from daskml_dist.solvers.stochastic import StochasticGradient, has_diverged
from daskml_dist.solvers.together import Meeting, Member, held, noted, together
from daskml_dist.solvers.verified_model import one_model
from daskml_dist.splits import Folds
from daskml_dist.types import FloatArray

_HELD_OUT, _CHOSEN = "held_out", "chosen"  # of the last state

Asked = tuple[tuple[Problem, View], ...]


@final
@dataclass(frozen=True)
class RateSearch(Solver):
    """Descend by each candidate on each split and on all rows; keep the one that does best on held-out rows.

    An epoch of all of them reads the rows once. One more pass judges the models of all splits, and one
    verifies the model that the best candidate has come to on all rows.

    Attributes
    ----------
    candidates : how each of them descends.
    names : what they are called in messages.
    asked : [s] the problems of each split, one for each class, and how they see the rows; the last ones
        have all rows.
    folds : of the splits.
    """

    candidates: tuple[StochasticGradient, ...]
    names: tuple[str, ...]
    asked: tuple[Asked, ...] = ()
    folds: Folds | None = None
    name: ClassVar[str] = "sgd"
    needs: ClassVar[frozenset[str]] = frozenset({"loss without a scale"})
    many_targets: ClassVar[bool] = True

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        solvers = [replace(one, folds=self.folds) for one in self.candidates]
        states = [State()] * (len(solvers) * len(self.asked))
        talks = [replace(one, asked=split).descended() for one in solvers for split in self.asked]
        members = [Member(noted(talk, states, place), View()) for place, talk in enumerate(talks)]
        met: Meeting = yield from held(together(members, None), lambda _: self._known(states))
        ends = self._by_candidate([one.solution for one in met.judged])
        losses = yield from self._judged(ends, met.state)
        lost = [any(has_diverged(end.state) for end in row) for row in ends]
        losses[lost] = np.inf
        chosen = self._best(losses)
        found = ends[chosen][-1]
        kept = replace(
            found.state,
            passes=met.state.passes + 1,
            arrays={**found.state.arrays, _HELD_OUT: losses},
            numbers={**found.state.numbers, _CHOSEN: float(chosen)},
        )
        notes = (*found.notes, *self._warned(lost))
        best = replace(solvers[chosen], asked=self.asked[-1])
        return (yield from best.ended(replace(found, state=kept, notes=notes)))

    @staticmethod
    def told(state: State) -> tuple[int, FloatArray] | None:
        """The candidate that did best, and (C, S) mean losses on held-out rows, infinite where one diverged.

        ``state`` : the last one of a search; None where it was cut short before.
        """
        return (int(state.numbers[_CHOSEN]), state.arrays[_HELD_OUT]) if _CHOSEN in state.numbers else None

    def _by_candidate(self, ends: Sequence[Solution]) -> list[list[Solution]]:
        width = len(self.asked)
        return [list(ends[start : start + width]) for start in range(0, len(ends), width)]

    def _known(self, states: Sequence[State]) -> State:
        """The state of the best model of all rows so far, with the passes of all."""
        wholes = states[len(self.asked) - 1 :: len(self.asked)]
        values = [np.inf if one.progress is None else one.progress.objective for one in wholes]
        best = wholes[int(np.argmin(np.nan_to_num(values, nan=np.inf)))]
        return replace(best, passes=max(one.passes for one in states))

    def _judged(self, ends: list[list[Solution]], state: State) -> Generator[Turn, Any, FloatArray]:
        """(C, S) mean losses of the models of splits on the rows that these test: a pass."""
        asked: list[Question[Any]] = []
        views = []
        for row in ends:
            for end, split in zip(row[:-1], self.asked[:-1], strict=True):
                assert end.state.point is not None
                for k, (problem, view) in enumerate(split):
                    asked.append(Question(Sweep(problem.loss, one_model(end.state.point, k))))
                    views.append(replace(view, part="tested", class_weight=None))
        replies = yield Turn(Question(Together(tuple(asked), tuple(views), self.folds)), state)
        value = np.array([float(reply.value[0]) for reply in replies])
        weight = np.array([reply.weight_sum for reply in replies])
        if not (weight > 0.0).all():
            raise InvalidData(
                "The rows that a split tests have no weight: all of them have sample_weight zero. Leave out "
                "rows without weight, or use fewer folds."
            )
        losses = np.asarray((value / weight).reshape(len(ends), len(self.asked) - 1, -1).sum(axis=2))
        return np.where(np.isfinite(losses), losses, np.inf)

    def _best(self, losses: FloatArray) -> int:
        """The candidate with the lowest mean loss, the first one among equals."""
        mean = losses.mean(axis=1)
        if not np.isfinite(mean).any():
            raise InvalidData(
                f"The descent diverges with each of {', '.join(self.names)}. Try smaller learning rates, "
                "scale the features, or use learning_rate='auto' and one eta0."
            )
        return int(np.argmin(mean))

    def _warned(self, lost: Sequence[bool]) -> tuple[str, ...]:
        """What is said of candidates that diverged."""
        names = [name for name, diverged in zip(self.names, lost, strict=True) if diverged]
        if not names:
            return ()
        return (f"the descent diverged with {', '.join(names)}: counted as infinitely bad",)
