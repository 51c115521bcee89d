"""Stochastic gradient descent: epochs of small steps, and a pass that says how far they led."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import Batch, HeldOut, Left, MiniBatch, Point, Question, Score, Stepping, View, Walk
from daskml_dist.optimizers import SGD, Optimizer
from daskml_dist.parameter_server import Consistency
from daskml_dist.solvers._base import Conversation, Problem, Solution, Solver, State, Turn
from daskml_dist.solvers.averaged_models import averaged_models
from daskml_dist.solvers.chosen_step import Choose, Chosen, inverse_of, sample_of, wants_diagonal
from daskml_dist.solvers.corrected import corrected
from daskml_dist.solvers.served_steps import parameter_server
from daskml_dist.solvers.synchronous import LEAST_ROWS, MOST_STEPS, Task, synchronous
from daskml_dist.solvers.track import Epoch, Track, reported
from daskml_dist.solvers.verified_model import verified_model
from daskml_dist.splits import Folds
from daskml_dist.types import FloatArray

#: how nodes work together in an epoch
STRATEGIES = {
    "synchronous": synchronous,
    "model_averaging": averaged_models,
    "parameter_server": parameter_server,
}
#: in the numbers of a state: how the last epoch did on held-out rows, and the standard error of that
SCORE, SCORE_ERROR = "held_out.score", "held_out.error"
_DONE = "done"  # of a state whose epochs are over
_DIVERGED = "diverged"
_LEAST_RATE = 1e-6  # of an adaptive schedule: what is below ends the descent


@final
@dataclass(frozen=True)
class StochasticGradient(Solver):
    """Steps by the gradients of a few rows, each row once an epoch; see docs/stochastic-gradient.md.

    Attributes
    ----------
    strategy : one of ``STRATEGIES``.
    epochs : how many at most.
    tol : by how much the mean loss of an epoch must fall (or the score of held-out rows rise); None to go on.
    patience : after how many epochs that did not better it the descent ends.
    rows_a_step : of all nodes together; None for those of a 128th of an epoch.
    shuffle : whether rows come in an order that is drawn anew each epoch.
    rule : how steps are made in plain coordinates; None for steps in a metric that a sample tells.
    average : "auto" for a mean that weighs late iterates more, where ``rule`` is None; the number of rows
        after which a plain mean begins; or None for the last iterate.
    held : the share of rows that are held out and scored.
    labels : whether they are scored as classes.
    once : whether it is one epoch, from where the last one ended, and not verified.
    local_steps : steps of each node between two averages; None for rounds of an eighth of an epoch, a
        quarter, the rest of it, and then an epoch each.
    control_variates : whether nodes correct their gradients by those of all others where a round begins,
        which takes one more pass a round; "auto" where gradients tell that the rows of nodes are unlike.
    corrections : rounds of Newton's method at the end.
    staleness : how many steps nodes of a parameter server may part; infinite for any.
    servers : over how many of them the parameters are spread at most.
    factor : by which learning rates that the sample tells are multiplied.
    asked : the problems, all of them over the same rows, and how each sees them.
    folds : of the splits that the views speak of, or None.
    """

    strategy: str = "synchronous"
    epochs: int = 1000
    tol: float | None = 1e-3
    patience: int = 5
    rows_a_step: int | None = None
    shuffle: bool = True
    rule: Optimizer | None = None
    average: Literal["auto"] | int | None = "auto"
    held: float = 0.0
    labels: bool = False
    once: bool = False
    local_steps: int | None = None
    control_variates: bool | Literal["auto"] = "auto"
    corrections: int = 0
    staleness: float = 3.0
    servers: int = 1
    factor: float = 1.0
    asked: tuple[tuple[Problem, View], ...] = ()
    folds: Folds | None = None
    name: ClassVar[str] = "sgd"
    needs: ClassVar[frozenset[str]] = frozenset({"loss without a scale"})
    many_targets: ClassVar[bool] = True

    @property
    def mark(self) -> str:
        return repr(replace(self, asked=(), folds=None, epochs=0))

    def at_rate(self, factor: float) -> StochasticGradient:
        if self.rule is not None:
            return replace(self, rule=self.rule.scaled(factor))
        return replace(self, factor=factor * self.factor)

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        solver = self if self.asked else replace(self, asked=((problem, View()),))
        return (yield from solver.ended((yield from solver.descended(state))))

    def descended(self, state: State | None = None) -> Conversation:
        """The epochs alone: the last state, which nobody has verified; see ``has_diverged``."""
        problems, views = zip(*self.asked, strict=True)
        task, track, state = yield from self._begun(problems, views, state)
        last = track.epochs + 1 if self.once else self.epochs
        converged, note = bool(state.numbers.get(_DONE)), ""
        while track.epochs < last and not converged and not note:
            before, begun = track, state
            track, epoch = yield from STRATEGIES[self.strategy](task, track, state)
            if epoch.diverged:
                note = _diverged(task, epoch)
                state = replace(state, point=epoch.kept, passes=state.passes + epoch.passes)
                state = replace(state, numbers={**state.numbers, _DIVERGED: 1.0})
                break
            progress = epoch.progress(float(np.linalg.norm(track.theta - before.theta)))
            point = track.model(task.stepping.optimizer)
            state = track.state(point, state.passes + epoch.passes, progress)
            # until the epoch is judged, what is kept is its beginning
            score: Score | None = None
            if self.held:
                score = yield from self._score(task, replace(begun, point=point))
            track, converged = self._judged(
                track, epoch.loss / len(problems) if score is None else -score.value
            )
            state = track.state(point, state.passes, progress)
            if score is not None:
                scored = {SCORE: score.value, SCORE_ERROR: score.error}
                state = replace(state, numbers={**state.numbers, **scored})
        if not (converged or note or self.once or self.tol is None):
            note = _unfinished(self.epochs)
        return Solution(state, converged, notes=(note,) if note else ())

    def ended(self, found: Solution) -> Conversation:
        """What is left to do after the last epoch."""
        problems, views = zip(*self.asked, strict=True)
        state, notes = found.state, found.notes
        if self.once:
            return Solution(replace(state, progress=reported(state)), not notes, notes=notes)
        state = replace(state, numbers={**state.numbers, _DONE: float(found.converged)})
        if self.corrections:
            return (yield from corrected(problems, views, state, self.corrections, notes))
        return (yield from verified_model(problems, views, state, found.converged or self.tol is None, notes))

    def _begun(
        self, problems: tuple[Problem, ...], views: tuple[View, ...], state: State | None
    ) -> Generator[Turn, Any, tuple[Task, Track, State]]:
        """What is to be done, and where it is begun or gone on with."""
        first, rule = problems[0], self.rule or SGD(1.0)
        known = state if state is not None and state.point is not None else State()
        weights = np.array([problem.weight_sum for problem in problems])
        walk = Walk(first.seed, shuffle=self.shuffle, held=self.held)
        if self.held:
            told: FloatArray = yield Turn(Question(Left(views, walk, self.folds)), known)
            weights = _enough(told)
        if known.point is None:
            known = yield from self._started(problems, views, known)
        track = Track.of(known)
        stepping = Stepping(first.penalty, first.features, inverse_of(track.chosen.metric), rule)
        average = None if self.average == "auto" and self.rule is not None else self.average
        task = Task(
            first,
            views,
            weights,
            walk,
            stepping,
            self.rule is None,
            average,
            self.rows_a_step,
            self.once,
            self.local_steps,
            self.control_variates,
            self.folds,
            Consistency(self.staleness),
            self.servers,
            self.factor,
        )
        return task, track, known

    def _started(
        self, problems: tuple[Problem, ...], views: tuple[View, ...], known: State
    ) -> Generator[Turn, Any, State]:
        """The state before the first step."""
        rule, first = self.rule, problems[0]
        if rule is not None:
            plain = _plain(problems)
            walk = Walk(first.seed, parts=max(min(first.rows // LEAST_ROWS, MOST_STEPS), 1))
            asked = MiniBatch(first.loss, plain.point, views, walk, self.folds)
            batch: Batch = yield Turn(Question(asked), known)
            there = batch.weight_sum > 0.0
            value = float(np.sum(batch.value[there] / batch.weight_sum[there]))
            value += float(np.sum(first.penalty.value(plain.point.w)))
            track = Track.started(replace(plain, null_value=value), rule)
            return track.state(track.chosen.point, 0, None)
        diagonal = wants_diagonal(first)
        sample = sample_of(problems, diagonal=diagonal)
        choose = Choose(problems, views, sample, diagonal, final=not self.once)
        chosen: Chosen = yield Turn(Question(sample, choose), known)
        track = replace(Track.started(chosen, SGD(1.0)), epochs=float(chosen.solved))
        state = track.state(chosen.point, 1 if first.streamed else 0, None)
        return replace(state, numbers={**state.numbers, _DONE: float(chosen.solved)})

    def _score(self, task: Task, state: State) -> Generator[Turn, Any, Score]:
        """How the model does on the rows that are held out."""
        assert state.point is not None
        score: Score = yield Turn(Question(HeldOut(state.point, task.walk, self.labels)), state)
        return score

    def _judged(self, track: Track, told: float) -> tuple[Track, bool]:
        """The track after an epoch, which counts from now on, and whether it was enough."""
        rule = self.rule or SGD(1.0)
        track = replace(track, epochs=track.epochs + 1.0, memory=rule.told(told, track.memory))
        if self.tol is None:
            return track, False
        track = track.told(told, self.tol)
        if "no_improvement" in track.memory.numbers:  # an adaptive rate falls instead
            return track, rule.rate(track.memory) <= _LEAST_RATE
        return track, track.failed >= self.patience


def has_diverged(state: State) -> bool:
    """Whether the descent was given up, because the objective rose far above where it began."""
    return bool(state.numbers.get(_DIVERGED))


def _plain(problems: tuple[Problem, ...]) -> Chosen:
    """The start of a rule that takes coordinates as they are: zero, as in scikit-learn, or the one given."""
    first, K = problems[0], len(problems)
    given = [problem.start for problem in problems if problem.start is not None]
    zero = np.zeros(first.features)
    point = replace(
        given[0] if given else _zero(first),
        w=np.concatenate([one.w for one in given]) if given else np.zeros((K, first.features)),
        b=np.concatenate([one.raw_intercept for one in given]) if given else np.zeros(K),
        centre=zero,
    )
    return Chosen(point, np.empty((K, 0)), np.inf, np.inf, 0.0, np.nan)


def _zero(problem: Problem) -> Point:
    zero = np.zeros(problem.features)
    return Point(zero[None], np.zeros(1), zero, problem.intercept)


def _enough(told: FloatArray) -> FloatArray:
    """(K,) the weights of the rows that are trained on; refuses parts without weight."""
    if not (told > 0.0).all():
        raise InvalidData(
            "early_stopping=True leaves no rows (with weight) to train on, or none to score. Give more rows, "
            "another validation_fraction, or early_stopping=False."
        )
    return told[:-1]


def _diverged(task: Task, epoch: Epoch) -> str:
    """What the user is told."""
    cause = f"the learning rate of {task.stepping.optimizer!r} is too large"
    cure = "Use a smaller eta0, a schedule that falls, scaled features, or learning_rate='auto'"
    if task.automatic:
        cause, cure = "the steps are too long", "Use a stronger penalty, more rows a step, or another loss"
    return (
        f"{cause}: after {epoch.batches} steps of an epoch the objective is far above "
        f"{epoch.start_value:.3g}, what it was at the start, or not finite. The best model so far is kept. "
        f"{cure}"
    )


def _unfinished(epochs: int) -> str:
    return (
        f"the loss (or the score of held-out rows) still got better by more than tol after max_iter={epochs} "
        "epochs. Raise max_iter or tol; tol=None goes on without asking"
    )
