"""The spine: a whole training, from containers to a verified optimum, on one screen.

minimise F(w, b) = (1 / sum s) sum_i s_i loss(y_i, x_i'w + b + offset_i) + penalty(w)
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final
from uuid import uuid4

import numpy as np

from daskml_dist import inputs, partition
from daskml_dist.cluster import Hands, Patience, connect
from daskml_dist.errors import CheckpointInvalid, ClusterGaveUp, InvalidData
from daskml_dist.kernels import (
    Accuracy,
    Coding,
    LabelSurvey,
    LabelSurveyAnswer,
    Point,
    Question,
    Sweep,
    SweepAnswer,
    TargetSurvey,
    TargetSurveyAnswer,
)
from daskml_dist.losses import Loss
from daskml_dist.monitor import FitEnd, FitInfo, History, Listeners, ProgressLine, TopicPublisher, discover
from daskml_dist.penalties import Penalty
from daskml_dist.solvers import Problem, Solution, Solver, State, Turn, automatic, named
from daskml_dist.storage import Checkpoints
from daskml_dist.types import AnyArray, FloatArray, Step, Table


@final
@dataclass(frozen=True)
class Training:
    """What is to be trained, and how: the parameters of an estimator in this library's own terms.

    Attributes
    ----------
    name : of the estimator, for messages and the dashboard.
    loss : the loss.
    penalty : the penalty, given the sum of the weights.
    intercept : whether an intercept is fitted.
    solver : "auto" or the name of a solver.
    tol, max_passes, certify, seed, start : see ``Problem``.
    labels : whether y holds classes.
    class_weight : given the classes and their weight sums and counts, a factor for each class; or None.
    multi_output : whether y may have several columns.
    scheduler : see ``cluster.connect``.
    checkpoint : where states are kept and looked for, or None.
    verbose : 0 silent, 1 a line in a terminal, 2 a line a step.
    """

    name: str
    loss: Loss
    penalty: Callable[[float], Penalty]
    intercept: bool = True
    solver: str = "auto"
    tol: float = 1e-6
    max_passes: int = 100
    certify: bool = False
    seed: int = 0
    start: Point | None = None
    labels: bool = False
    class_weight: Callable[[AnyArray, AnyArray, AnyArray], FloatArray | None] | None = None
    multi_output: bool = False
    scheduler: Any = None
    checkpoint: str | None = None
    verbose: int = 1
    patience: Patience | None = None


@final
@dataclass(frozen=True)
class Outcome:
    """What a training has found; ``classes`` is None without labels, ``graph`` without a cluster."""

    solution: Solution
    problem: Problem
    classes: AnyArray | None
    history: list[dict[str, Any]]
    graph: Any


@final
class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a training; ``outcome`` has the best state so far, or is None where there is none."""

    def __init__(self, outcome: Outcome | None) -> None:
        super().__init__("training was interrupted")
        self.outcome = outcome


def fit(training: Training, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Outcome:
    """Train: read, hold, survey, converse, and report."""
    solver = named(training.solver, training.loss, training.penalty(1.0))
    lazy = inputs.is_lazy(X, y, sample_weight, offset)
    hands = connect(training.scheduler, lazy=lazy, patience=training.patience)
    try:
        table = read(training, hands, X, y, sample_weight, offset)
        streamed = settle(hands, table)
        problem, classes = survey(training, hands, table, streamed)
        solver = solver or automatic(training.loss, problem.rows, problem.parameters)
        solver.refuse_targets(problem.targets)
        return _converse(training, hands, table, problem, classes, solver)
    finally:
        hands.close()


def read(training: Training, hands: Hands, X: Any, y: Any, sample_weight: Any, offset: Any) -> Table:
    """The data as one aligned table; chunk lengths are measured where nothing else can align them."""
    lengths = None
    if inputs.measure_needed(X, y, sample_weight, offset):
        lengths = tuple(hands.evaluate(inputs.row_counts(X)).tolist())
    table = inputs.read(
        X,
        y,
        sample_weight,
        offset,
        multi_output=training.multi_output,
        lengths=lengths,
        estimator=training.name,
    )
    return inputs.made_lazy(table) if training.scheduler not in (None, "threads") else table


def settle(hands: Hands, table: Table) -> bool:
    """Give the data a place; whether they are streamed."""
    holding = hands.hold(table)
    if holding.streamed or set(holding.locations) == {None}:
        plan = partition.sequential(holding.rows, holding.slots)
    else:
        plan = partition.in_place(holding.rows, holding.locations, holding.slots)
    hands.place(plan)
    return holding.streamed


def survey(training: Training, hands: Hands, table: Table, streamed: bool) -> tuple[Problem, AnyArray | None]:
    """What must be known of the target before a solver can start; X is not read."""
    classes = None
    if training.labels:
        found, weights = survey_labels(training, hands)
        classes, rows, offset = found.classes, found.rows, found.offset
        total, events = float(weights.sum()), int(found.counts[1])
        mean = weights[1:] / total
    else:
        told: TargetSurveyAnswer = hands.answer(Question(TargetSurvey(training.loss)))
        hands.code(Coding())
        rows, total, events, offset = told.rows, told.weight_sum, told.events, told.offset
        mean = np.atleast_1d(told.mean)
        refuse_endless_intercept(training, mean)
    return (
        Problem(
            loss=training.loss,
            penalty=training.penalty(total),
            intercept=training.intercept,
            rows=rows,
            features=table.n_features,
            targets=len(mean),
            weight_sum=total,
            events=events,
            mean=mean,
            offset=offset,
            tol=max(training.tol, 1e-14),  # float64 tells no smaller gap from rounding
            max_passes=training.max_passes,
            certify=training.certify,
            streamed=streamed,
            seed=training.seed,
            start=training.start,
        ),
        classes,
    )


def survey_labels(training: Training, hands: Hands) -> tuple[LabelSurveyAnswer, FloatArray]:
    """Find the classes and have labels coded by them; also (k,) the weight sums with the class weights in."""
    found: LabelSurveyAnswer = hands.answer(Question(LabelSurvey(training.loss)))
    weights: FloatArray = found.weights
    refuse_classes(training.name, found.classes, weights)
    factors = None
    if training.class_weight is not None:
        factors = training.class_weight(found.classes, found.counts, weights)
    hands.code(Coding(found.classes, factors))
    if factors is not None:
        weights = weights * factors
        refuse_classes(training.name, found.classes, weights)
    return found, weights


def refuse_classes(name: str, classes: AnyArray, weights: AnyArray) -> None:
    """Refuse what is not a binary problem."""
    if len(classes) == 1:
        raise InvalidData(
            f"{name} needs samples of at least 2 classes in the data, but the data contains only one class: "
            f"{classes.tolist()[0]!r}."
        )
    if len(classes) > 2:
        raise InvalidData(
            "Only binary classification is supported. The type of the target is multiclass: y has "
            f"{len(classes)} classes, among them {classes[:5].tolist()!r}. Train one {name} for each class "
            "against the rest."
        )
    for label, weight in zip(classes.tolist(), weights.tolist(), strict=True):
        if weight == 0.0:
            raise InvalidData(
                f"All rows of class {label!r} have weight zero (sample_weight or class_weight), so that only "
                "one class is left. Give rows of both classes a weight above zero."
            )


def refuse_endless_intercept(training: Training, mean: FloatArray) -> None:
    """Refuse a mean of y for which no finite intercept exists."""
    if training.intercept and not np.isfinite(training.loss.link(mean)).all():
        raise InvalidData(
            f"The weighted mean of y is {mean.tolist()[0]:g}, for which the loss {training.loss.name!r} has "
            "no finite intercept. A row with weight must have y above zero; or use fit_intercept=False."
        )


def _converse(
    training: Training, hands: Hands, table: Table, problem: Problem, classes: AnyArray | None, solver: Solver
) -> Outcome:
    """Let the solver ask and the hands answer, until the solver is content."""
    log = _Log(training, hands, problem, solver)
    store = None if training.checkpoint is None else Checkpoints(training.checkpoint)
    mark = fingerprint(training, table, problem, solver)
    conversation = solver.solve(problem, resumed(store, mark))
    state, reply, status = State(), None, "failed"

    def outcome(solution: Solution) -> Outcome:
        return Outcome(solution, problem, classes, log.history.rows(), hands.graph)

    try:
        while True:
            turn: Turn = conversation.send(reply)
            state = log.heard(turn.state, turn)
            if store is not None and state.progress is not None:
                keep(store, state, mark)
            reply = hands.answer(turn.question)
    except StopIteration as stop:
        solution: Solution = stop.value
        state = log.heard(solution.state, None)
        status = "converged" if solution.converged else "stopped"
        return outcome(solution)
    except KeyboardInterrupt:
        status = "interrupted"
        raise Interrupted(outcome(Solution(state, False)) if state.point is not None else None) from None
    except ClusterGaveUp as error:
        if state.progress is None:
            raise
        store = store or Checkpoints(tempfile.mkdtemp(prefix="daskml-dist-"))
        where = keep(store, state, mark)
        raise ClusterGaveUp(
            f"{error} The state after {state.passes} passes is kept in {where}; fit again with "
            f"checkpoint={str(store.url)!r} to go on from it."
        ) from error
    finally:
        log.ended(status, state)


@final
class _Log:
    """Turns what a conversation reveals into steps for whoever listens."""

    def __init__(self, training: Training, hands: Hands, problem: Problem, solver: Solver) -> None:
        self.history = History()
        self.listeners = Listeners(
            (self.history, ProgressLine(training.verbose), TopicPublisher(hands.publish), *discover())
        )
        self.hands, self.began = hands, time.monotonic()
        self.asked, self.passes, self.rows = "", 0, problem.rows
        self.id = uuid4().hex
        info = FitInfo(
            self.id,
            training.name,
            solver.name,
            problem.rows,
            problem.features,
            training.tol,
            training.max_passes,
        )
        self.listeners.begin(info)

    def heard(self, state: State, turn: Turn | None) -> State:
        """Note a step if the last question was a pass that told something of the objective."""
        if state.progress is not None and state.passes > self.passes:
            cost = self.hands.cost
            progress = state.progress
            self.listeners.hear(
                Step(
                    passes=state.passes,
                    question=self.asked,
                    objective=progress.objective,
                    gap=progress.gap,
                    gap_kind=progress.gap_kind,
                    gradient_norm=progress.gradient_norm,
                    step_size=progress.step_size,
                    rows=self.rows,
                    seconds=time.monotonic() - self.began,
                    tasks=cost.tasks,
                    partial_bytes=cost.partial_bytes,
                )
            )
        self.passes = state.passes
        self.asked = "" if turn is None else type(turn.question.kernel).__name__
        return state

    def ended(self, status: Any, state: State) -> None:
        self.listeners.end(FitEnd(self.id, status, "", state.passes, time.monotonic() - self.began))


def fingerprint(training: Training, table: Table, problem: Problem, solver: Solver) -> dict[str, Any]:
    """What must be the same for a state to be gone on from."""
    return {
        "estimator": training.name,
        "solver": solver.name,
        "loss": problem.loss.name,
        "penalty": repr(problem.penalty),
        "intercept": problem.intercept,
        "rows": problem.rows,
        "features": problem.features,
        "weight_sum": problem.weight_sum,
        "mean": [float(mean) for mean in problem.mean],
        "dtype": str(table.X.dtype),
    }


def keep(store: Checkpoints, state: State, mark: dict[str, Any]) -> str:
    """Write the state as a checkpoint; where it was written."""
    assert state.point is not None and state.progress is not None
    point = state.point
    arrays = {f"memory.{name}": array for name, array in state.arrays.items()}
    arrays |= {"w": point.w, "b": point.b, "centre": point.centre}
    meta = {
        "mark": mark,
        "passes": state.passes,
        "numbers": dict(state.numbers),
        "progress": vars(state.progress),
    }
    return store.save(arrays, meta)


def resumed(store: Checkpoints | None, mark: dict[str, Any]) -> State | None:
    """The newest state, if there is one; refuses the state of another training."""
    found = None if store is None else store.newest()
    if found is None:
        return None
    arrays, meta = found
    differ = [name for name, value in mark.items() if meta["mark"].get(name) != value]
    if differ:
        given = "; ".join(f"{name} was {meta['mark'].get(name)!r} and is {mark[name]!r}" for name in differ)
        raise CheckpointInvalid(
            f"The checkpoint belongs to another training: {given}. Give another checkpoint directory, or "
            "remove it."
        )
    memory = {
        name.removeprefix("memory."): array for name, array in arrays.items() if name.startswith("memory.")
    }
    point = Point(arrays["w"], arrays["b"], arrays["centre"], mark["intercept"])
    return State(meta["passes"], point, None, memory, meta["numbers"])


def score(
    training: Training, point: Point, classes: AnyArray | None, X: Any, y: Any, sample_weight: Any
) -> float:
    """Accuracy of a classifier; the share of the null deviance that a regressor explains (r2 for squares)."""
    hands = connect(training.scheduler, lazy=inputs.is_lazy(X, y, sample_weight))
    try:
        table = read(training, hands, X, y, sample_weight, None)
        targets = (
            [table] if table.y.ndim == 1 else [replace(table, y=table.y[:, t]) for t in range(len(point.b))]
        )
        scores = []
        for number, target in enumerate(targets):
            settle(hands, target)
            hands.code(Coding(classes))
            if classes is not None:
                return hands.answer(Question(Accuracy(point)))
            mean = float(hands.answer(Question(TargetSurvey(training.loss))).mean)
            both = Point(
                np.stack([point.w[number], np.zeros_like(point.w[number])]),
                np.array([point.raw_intercept[number], float(training.loss.link(np.array(mean)))]),
                np.zeros(point.w.shape[1]),
                True,
            )
            swept: SweepAnswer = hands.answer(Question(Sweep(training.loss, both)))
            value, null = swept.value
            scores.append(1.0 - value / null if null > 0.0 else float(value <= 0.0))
        return float(np.mean(scores))
    finally:
        hands.close()
