"""What a training is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, final

from daskml_dist.cluster import Patience
from daskml_dist.kernels import Point
from daskml_dist.losses import Loss
from daskml_dist.monitor import Control, current_control
from daskml_dist.penalties import Penalty
from daskml_dist.solvers import Problem, Solution, Solver
from daskml_dist.splits import Split
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray, FloatArray


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
    intercept_scaling : where the intercept is penalised like the coefficient of a constant feature, the value
        of that feature; else None.
    solver : "auto", the name of a solver, or a solver.
    tol, max_passes, certify, seed, start : see ``Problem``.
    labels : whether y holds classes.
    joint : the loss where there are more than two classes, given how many; None where they are refused.
    signs : whether classes, of which there may be many, become targets of -1 and 1; see ``Coding``.
    class_weight : given the classes and their weight sums and counts, a factor for each class; or None.
    multi_output : whether y may have several columns.
    cv : the rule of a cross-validation, or None.
    scheduler : see ``cluster.connect``.
    feature_names : of the columns of X where X does not have them itself, or None.
    checkpoint : where states are kept and looked for, or None.
    verbose : 0 silent, 1 a line in a terminal, 2 a line a step.
    control : what others ask of it while it runs.
    """

    name: str
    loss: Loss
    penalty: Callable[[float], Penalty]
    intercept: bool = True
    intercept_scaling: float | None = None
    solver: str | Solver = "auto"
    tol: float = 1e-6
    max_passes: int = 100
    certify: bool = False
    seed: int = 0
    start: Point | None = None
    labels: bool = False
    joint: Callable[[int], Loss] | None = None
    signs: bool = False
    class_weight: Callable[[AnyArray, AnyArray, AnyArray], FloatArray | None] | None = None
    multi_output: bool = False
    cv: Split | None = None
    scheduler: Any = None
    feature_names: tuple[str, ...] | None = None
    checkpoint: Checkpoint | str | PathLike[str] | None = None
    verbose: int = 1
    patience: Patience | None = None
    control: Control = field(default_factory=current_control, compare=False)


@final
@dataclass(frozen=True)
class Outcome:
    """What a training has found; ``classes`` is None without labels, ``graph`` without a cluster.

    ``decisions`` has what moved between workers, and why; ``stopped`` is whether it was asked to end there.
    """

    solution: Solution
    problem: Problem
    classes: AnyArray | None
    history: list[dict[str, Any]]
    graph: Any
    decisions: list[dict[str, Any]] = field(default_factory=list)
    stopped: bool = False


@final
class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a training; ``outcome`` has the best state so far, or is None where there is none."""

    def __init__(self, outcome: Outcome | None) -> None:
        super().__init__("training was interrupted")
        self.outcome = outcome
