"""The contract of a solver: a conversation.

``solve`` is a generator. It yields turns, each a question about the data with the state the solver
is in, and is sent the answers. It does no input or output and knows neither Dask nor threads; the
same text serves a cluster, threads, and a sample that is solved inside one task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from daskml_dist.errors import UnsupportedCombination
from daskml_dist.kernels import Point, Question, answer
from daskml_dist.losses import JointLoss, Loss, PiecewiseLinear, ScaledLoss
from daskml_dist.parameter_server import Descent
from daskml_dist.penalties import Penalty
from daskml_dist.solvers.hessian import Hessian
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk, FloatArray, GapKind

LARGE = 1 << 24  # elements of X: 128 MiB of float64


@dataclass(frozen=True)
class Problem:
    """minimise F(w, b) = (1 / weight_sum) sum_i s_i loss(y_i, z_i) + penalty(w).

    Attributes
    ----------
    loss, penalty, intercept : what F is made of.
    rows, features, targets : n, p, t.
    weight_sum : sum of the sample weights.
    events : rows that the loss calls events (rare ones are over-sampled).
    mean : (t,) weighted mean of y; (k,) shares of the classes of a joint loss.
    offset : the constant offset that is worth as much as the offset of the rows; 0 without one.
    tol : the relative gap to reach.
    max_passes : how often all rows may be read.
    certify : prove the gap even where that costs more than two gradient passes.
    streamed : the data are loaded anew for each question, so that a sample costs a pass.
    seed : of the samples.
    start : where to start, or None.
    folds : of a cross-validation, or None.
    intercept_penalised : whether the penalty is one of (w, b) instead of w; the centre is zero then.
    sparse : whether X is known to be sparse.
    """

    loss: Loss
    penalty: Penalty
    intercept: bool
    rows: int
    features: int
    targets: int
    weight_sum: float
    events: int
    mean: FloatArray
    offset: float = 0.0
    tol: float = 1e-6
    max_passes: int = 100
    certify: bool = False
    streamed: bool = False
    seed: int = 0
    start: Point | None = None
    folds: Folds | None = None
    intercept_penalised: bool = False
    sparse: bool = False

    @property
    def margins(self) -> int:
        """How many margins a row has: one, or one for each class of a joint loss."""
        return self.loss.margins if isinstance(self.loss, JointLoss) else 1

    @property
    def centred(self) -> bool:
        """Whether the centre is free: an intercept that is not penalised takes it up."""
        return self.intercept and not self.intercept_penalised

    @property
    def penalised(self) -> int:
        """How many of the free parameters the penalty sees, the first ones."""
        return self.margins * self.features + self.intercept_penalised

    @property
    def parameters(self) -> int:
        """q: the free parameters of one target: coefficients, intercepts and scale, where there are any."""
        return self.margins * (self.features + self.intercept) + isinstance(self.loss, ScaledLoss)

    @property
    def large(self) -> bool:
        """Whether a pass takes long enough to be worth compiling for."""
        return not self.sparse and self.rows * self.features >= LARGE


@dataclass(frozen=True)
class Progress:
    """What the last answer told."""

    objective: float
    gap: float
    gap_kind: GapKind
    gradient_norm: float
    step_size: float


@dataclass(frozen=True)
class State:
    """Where a conversation stands: all that is needed to go on from here, as arrays and numbers.

    ``point`` is the best point that was verified, or None; what else a solver remembers is in
    ``arrays`` and ``numbers``. ``hessian`` is what it knows of F about the point, for whoever looks: nothing
    goes on from it, and no checkpoint keeps it.
    """

    passes: int = 0
    point: Point | None = None
    progress: Progress | None = None
    arrays: Mapping[str, FloatArray] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    hessian: Hessian | None = None


@dataclass(frozen=True)
class Turn:
    """A question, and the state before its answer is known."""

    question: Question[Any] | Descent
    state: State

    @property
    def asked(self) -> str:
        """The name of what is asked, for the history."""
        asked = self.question
        return type(asked.kernel if isinstance(asked, Question) else asked).__name__


@dataclass(frozen=True)
class Solution:
    """The end of a conversation.

    Attributes
    ----------
    state : the last state; ``state.point`` is the answer.
    converged : whether ``tol`` was reached.
    hessian : (q, q) Hessian of F at the point in the centred coordinates, where known.
    notes : what the user should be warned of.
    """

    state: State
    converged: bool
    hessian: FloatArray | None = None
    notes: tuple[str, ...] = ()


Conversation = Generator[Turn, Any, Solution]


class Solver(ABC):
    """How to find the minimum. ``needs`` is checked before any data are touched."""

    name: ClassVar[str]
    #: what the loss and the penalty must be; see ``refuse``
    needs: ClassVar[frozenset[str]]
    #: whether a target of several columns is solved for as one problem; see ``by_target``
    many_targets: ClassVar[bool] = False

    @abstractmethod
    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        """Converse from the start, or go on from a state."""

    @property
    def mark(self) -> str:
        """What must be the same for this solver to go on from the state of another."""
        return self.name

    def at_rate(self, factor: float) -> Self | None:
        """The same solver with its learning rates times a factor, which goes on from this one's states.

        None where steps are not a matter of learning rates, as with most solvers.
        """
        return None

    def gathered_bytes(self, problem: Problem) -> int:
        """How large the rows are that a question gathers in one task, about and at most."""
        return 0

    def refuse(self, loss: Loss, penalty: Penalty) -> None:
        """Raise UnsupportedCombination where this solver cannot solve the problem."""
        has = {"smooth loss": loss.smooth, "quadratic loss": loss.quadratic, "smooth penalty": penalty.smooth}
        has["loss with kinks"] = isinstance(loss, PiecewiseLinear)
        has["loss without a scale"] = not isinstance(loss, ScaledLoss)
        has["joint loss"] = isinstance(loss, JointLoss)
        for need in sorted(self.needs):
            if not has[need]:
                raise UnsupportedCombination(
                    f"solver={self.name!r} needs a {need}; given were the loss {loss.name!r} and the penalty "
                    f"{penalty.name!r}. Use solver='auto', which takes one that fits."
                )


def converse(conversation: Conversation, chunks: Iterable[Chunk]) -> Solution:
    """Hold a whole conversation in this thread, over chunks in memory."""
    held = list(chunks)
    reply: Any = None
    while True:
        try:
            turn = conversation.send(reply)
        except StopIteration as stop:
            solution: Solution = stop.value
            return solution
        assert isinstance(turn.question, Question)
        reply = answer(turn.question, held, len(held))


def centred(point: Point, centre: FloatArray) -> Point:
    """The same model, with its intercept given at another centre."""
    if not point.intercept or np.array_equal(point.centre, centre):
        return point
    return replace(point, b=point.raw_intercept + point.w @ centre, centre=centre)


def null_point(problem: Problem, centre: FloatArray) -> Point:
    """The constant model: no features, and the intercept that the mean of y asks for."""
    joint = isinstance(problem.loss, JointLoss)
    mean = problem.mean if joint else problem.mean[:1]
    b = problem.loss.link(mean) - problem.offset if problem.intercept else np.zeros(problem.margins)
    scale = np.ones(1) if isinstance(problem.loss, ScaledLoss) else None
    w = np.zeros((problem.margins, problem.features))
    return Point(w, b, centre, problem.intercept, scale, joint)
