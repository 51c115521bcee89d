"""What each estimator has to do: its solver by the library's own rule, and the passes that are expected.

Passes depend on the data, which are not read. The numbers are those measured in docs/benchmarks.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist import inputs
from daskml_dist.cluster.memory import block_bytes
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.fit import Training
from daskml_dist.linear_model import (
    ElasticNetCV,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from daskml_dist.linear_model._base import LinearModel
from daskml_dist.linear_model._minimax import MinimaxModel
from daskml_dist.losses import JointLoss, Logistic, Loss, PiecewiseLinear, ScaledLoss, Squared
from daskml_dist.penalties import Penalty, Unpenalised
from daskml_dist.solvers import MODEL_PARALLEL, Problem, Solver, automatic, named
from daskml_dist.solvers.progressive_newton import hessians, sample_rows
from daskml_dist.types import Table

_SEARCHES = {LassoCV: 1, ElasticNetCV: 1, RidgeCV: 1, RidgeClassifierCV: 2}
_ROUNDS_AN_EPOCH = 128  # of stochastic gradients with the default batch
_EPOCHS = 6  # until the loss has not fallen for the default patience of 5
_ASSUMED_SHARE = 0.01  # of the entries of sparse blocks that nobody has read
#: expected passes of solvers that form no Hessian, and of those that do
_GRADIENTS = {
    "newton-cg": 30,
    "lbfgs": 40,
    "block-lbfgs": 45,
    "gradient_descent": 60,
    MODEL_PARALLEL: 30,
    "working-set": 10,
}
_HESSIANS = {"newton": 6, "narrowing": 10, "least-squares": 1}


@final
@dataclass(frozen=True)
class Task:
    """What is to be fitted.

    Attributes
    ----------
    loss : the loss whose sweeps are timed: that of the estimator, or one that costs about the same.
    problem : as far as it is known unread.
    solver : its name.
    gradients, hessians, sample, rounds, batch, problems : see ``Work``.
    because : why so many passes.
    notes : what was taken for granted.
    """

    loss: Loss
    problem: Problem
    solver: str
    gradients: int
    hessians: int
    sample: int
    rounds: int
    batch: float
    problems: int
    because: str
    notes: tuple[str, ...]

    @property
    def parts(self) -> bool:
        """Whether ``solver="model-parallel"`` takes it: one smooth problem."""
        loss, penalty = self.problem.loss, self.problem.penalty
        one = self.problems == self.problem.margins == 1
        return one and loss.smooth and penalty.smooth and not isinstance(loss, ScaledLoss)


def task_of(estimator: Any, table: Table) -> Task:
    """What fitting an estimator to a table takes; ``None`` is a ``LogisticRegression``.

    Raises
    ------
    UnsupportedParameter
        It is no estimator of this library, or its parameters are refused.
    """
    estimator = LogisticRegression() if estimator is None else estimator
    if not isinstance(estimator, LinearModel):
        given = estimator.__name__ if isinstance(estimator, type) else repr(estimator)
        made = f"{given}()" if isinstance(estimator, type) and issubclass(estimator, LinearModel) else ""
        raise UnsupportedParameter(
            f"estimator={given} was given; expected {made or 'an estimator of daskml_dist.linear_model'}, "
            "with its parameters, or None for LogisticRegression()."
        )
    model: Any = estimator
    if isinstance(estimator, SGDClassifier | SGDRegressor):
        return _stochastic(model, table)
    training: Training = model._training()
    problem, notes = _problem(training, table)
    if isinstance(estimator, MinimaxModel):
        because = "minimax problems are certified in 2 to 6 passes, each with the Hessians of all groups"
        return _task(problem, "group-newton", 0, 5, because, notes)
    for search, passes in _SEARCHES.items():
        if isinstance(estimator, search):
            because = "all penalties and folds come from moments that are gathered together"
            return _task(problem, "least-squares search", 0, passes, because, notes)
    if training.solver == MODEL_PARALLEL:
        return _solved(problem, MODEL_PARALLEL, notes)
    solver = named(training.solver, training.loss, problem.penalty) or automatic(problem)
    task = _solved(problem, _name(solver), notes)
    if isinstance(estimator, LogisticRegressionCV):
        return _searched(estimator, task)
    return task


def _name(solver: Solver) -> str:
    return solver.name


def _solved(problem: Problem, solver: str, notes: tuple[str, ...]) -> Task:
    """What a solver is expected to do with the problem."""
    if solver == "progressive-newton":
        formed = 3 if hessians(problem) == "always" else 1
        because = "a sample, a step and its proof: 2 or 3 where there are 1,000 rows a feature, more below"
        return _task(problem, solver, 3 - formed, formed, because, notes, sample_rows(problem))
    if solver in _HESSIANS:
        one = "second moments are all that is needed" if solver == "least-squares" else "4 to 10 are usual"
        return _task(problem, solver, 0, _HESSIANS[solver], one, notes)
    because = f"some tens are usual without a Hessian; max_iter={problem.max_passes} ends it"
    return _task(problem, solver, min(_GRADIENTS.get(solver, 30), problem.max_passes), 0, because, notes)


def _task(
    problem: Problem,
    solver: str,
    gradients: int,
    hessians: int,
    because: str,
    notes: tuple[str, ...],
    sample: int = 0,
) -> Task:
    loss = _timed(problem.loss)
    problems = problem.targets
    rounds = 2 if sample else 1
    return Task(
        loss, problem, solver, gradients, hessians, sample, rounds, problem.rows, problems, because, notes
    )


def _searched(estimator: LogisticRegressionCV, task: Task) -> Task:
    """All candidates on all splits and on all rows, side by side."""
    candidates = estimator.Cs if isinstance(estimator.Cs, int | np.integer) else len(estimator.Cs)
    folds = estimator.cv if isinstance(estimator.cv, int | np.integer) else 5
    many = int(candidates) * (int(folds) + 1)
    note = f"{many} fits are counted as if each read the rows anew: an upper bound"
    passes = (3, 0) if task.hessians < 3 else (0, 3)
    return Task(
        task.loss,
        task.problem,
        task.solver,
        *passes,
        task.sample,
        task.rounds,
        task.batch,
        many,
        "all candidates on all splits share their passes",
        (*task.notes, note),
    )


def _stochastic(model: Any, table: Table) -> Task:
    """Epochs of rounds, and the pass that verifies."""
    labels = isinstance(model, SGDClassifier)
    training = Training(type(model).__name__, model._loss(), _no_penalty, labels=labels)
    problem, notes = _problem(training, table)
    epochs = min(int(model.max_iter), _EPOCHS)
    averaged = model.strategy == "model_averaging"
    given = model.batch_size
    batch = problem.rows / _ROUNDS_AN_EPOCH if isinstance(given, str) else float(given)
    rounds = 2 + epochs * (2 if averaged else int(np.ceil(problem.rows / max(batch, 1.0))))
    because = f"{epochs} epochs until the loss no longer falls, and one pass that verifies"
    task = _task(problem, "sgd", epochs + 1, 0, because, notes)
    return Task(
        task.loss, problem, "sgd", epochs + 1, 0, sample_rows(problem), rounds, batch, 1, because, notes
    )


def _problem(training: Training, table: Table) -> tuple[Problem, tuple[str, ...]]:
    """The problem as far as it can be known without reading lazy data."""
    assert table.chunks is not None
    rows, notes, targets = sum(table.chunks), [], 1
    loss = training.loss
    if training.labels:
        classes, known = _classes(table)
        if not known:
            notes.append("y is not read: two classes are supposed")
        if classes > 2 and training.joint is not None:
            loss = training.joint(classes)
        elif classes > 2:
            targets = classes
    elif table.y is not None and table.y.ndim == 2:
        targets = int(table.y.shape[1])
    problem = Problem(
        loss=loss,
        penalty=training.penalty(float(rows)),
        intercept=training.intercept,
        rows=rows,
        features=table.n_features,
        targets=targets,
        weight_sum=float(rows),
        events=rows // 2 if training.labels else 0,
        mean=np.full(targets, 0.5),
        max_passes=training.max_passes,
        certify=training.certify,
        sparse=inputs.is_sparse(table),
    )
    return problem, tuple(notes)


def _classes(table: Table) -> tuple[int, bool]:
    """How many classes y has, and whether that is known."""
    if table.y is None or table.lazy:
        return 2, False
    return max(len(np.unique(np.asarray(table.y))), 2), True


def _timed(loss: Loss) -> Loss:
    """The loss that is timed; scaled, joint and kinked ones take about as long as these for each margin."""
    if isinstance(loss, JointLoss):
        return Logistic()
    return Squared() if isinstance(loss, ScaledLoss | PiecewiseLinear) else loss


def elements_of(table: Table) -> tuple[float, float, tuple[str, ...]]:
    """Numbers of a row of X that are read, bytes of a row of all columns, and what was taken for granted."""
    assert table.chunks is not None
    rows = max(sum(table.chunks), 1)
    others = sum(float(part.nbytes) for name, part in table.columns.items() if name != "X") / rows
    if not inputs.is_sparse(table):
        return float(table.n_features), others + float(table.X.nbytes) / rows, ()
    if not table.lazy:
        return float(table.X.nnz) / rows, others + block_bytes(table.X) / rows, ()
    entries = max(_ASSUMED_SHARE * table.n_features, 1.0)
    note = f"X has sparse blocks that are not read: {entries:,.3g} entries a row (1 in 100) are supposed"
    return entries, others + entries * (table.X.dtype.itemsize + 4.0), (note,)


def _no_penalty(weight_sum: float) -> Penalty:
    """The penalty of stochastic gradients costs nothing."""
    return Unpenalised()
