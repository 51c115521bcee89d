"""Which solver ``solver="auto"`` means."""

from __future__ import annotations

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.losses import JointLoss, Loss, PiecewiseLinear, ScaledLoss
from daskml_dist.penalties import Penalty
from daskml_dist.solvers._base import Problem, Solver
from daskml_dist.solvers.block_lbfgs import MOST_ELEMENTS, BlockLBFGS
from daskml_dist.solvers.damped_newton import DampedNewton
from daskml_dist.solvers.gradient_descent import GradientDescent
from daskml_dist.solvers.lbfgs import LBFGS
from daskml_dist.solvers.least_squares import MOST_FEATURES, LeastSquares
from daskml_dist.solvers.model_parallel import MODEL_PARALLEL
from daskml_dist.solvers.narrowing import Narrowing
from daskml_dist.solvers.progressive_newton import ProgressiveNewton
from daskml_dist.solvers.trust_region_newton import TrustRegionNewton
from daskml_dist.solvers.working_set import WorkingSet

#: by name; BlockLBFGS is for automatic() alone, since names are checked before classes are counted
SOLVERS: dict[str, type[Solver]] = {
    solver.name: solver
    for solver in (
        LeastSquares,
        ProgressiveNewton,
        DampedNewton,
        TrustRegionNewton,
        LBFGS,
        GradientDescent,
        Narrowing,
        WorkingSet,
    )
}
MOST_PARAMETERS = 5000  # from here on a Hessian is too large to be worth forming
MOST_JOINT_PARAMETERS = 1500  # the same for a joint loss, whose Hessian no sample makes cheap
MOST_SPARSE = 2000  # the same where X is sparse, for least squares, and where nothing else will do
SPARSE_HESSIAN = 256  # sparse features up to which proofs and samples, which take dense rows, cost little
MOST_TOGETHER = 500  # coordinates of a working set, where many problems are solved at once
FEW_ROWS = 20  # rows a parameter: below that, a sample tells too little of the rest


def named(name: str | Solver, loss: Loss, penalty: Penalty) -> Solver | None:
    """That solver, or None for "auto"; refuses what it cannot do before data are touched."""
    if isinstance(name, str) and name == "auto":
        return None
    if not isinstance(name, Solver) and name not in SOLVERS:
        known = ", ".join(repr(known) for known in ("auto", *SOLVERS, MODEL_PARALLEL))
        raise UnsupportedParameter(f"solver={name!r} was given; expected one of {known}, or a solver.")
    solver = name if isinstance(name, Solver) else SOLVERS[name]()
    solver.refuse(loss, penalty)
    return solver


def automatic(problem: Problem, *, alone: bool = True) -> Solver:
    """The solver for a problem that is known to the number of its rows; refuses what none can do.

    Where it is not ``alone``, but one of many that are solved at once, large matrices are avoided.
    """
    loss, parameters, smooth = problem.loss, problem.parameters, problem.penalty.smooth
    curved = not isinstance(loss, PiecewiseLinear | ScaledLoss)
    if curved and not smooth and parameters > _most_formed(problem):
        if not isinstance(loss, JointLoss):
            return WorkingSet() if alone and problem.targets == 1 else WorkingSet(MOST_TOGETHER)
        if problem.sparse:
            raise UnsupportedCombination(
                f"X is sparse with {problem.features} features, y has {loss.margins} classes, and the "
                f"penalty is {problem.penalty.name!r}. With an L1 penalty, two classes are supported, or up "
                f"to {MOST_SPARSE} coefficients of all classes together. Use an L2 penalty (l1_ratio=0), "
                "fewer features, or train each class against the rest."
            )
    if loss.quadratic:
        most = _most_formed(problem)
        return LeastSquares() if parameters <= most else TrustRegionNewton()
    if isinstance(loss, PiecewiseLinear):
        if problem.sparse and parameters > MOST_SPARSE:
            raise UnsupportedCombination(
                f"X is sparse with {problem.features} features, and the loss {loss.name!r} has kinks. "
                f"With such a loss, up to {MOST_SPARSE} sparse features are supported. Use a smooth loss, as "
                "loss='squared_hinge' of LinearSVC or loss='squared_epsilon_insensitive' of LinearSVR."
            )
        return Narrowing()
    if isinstance(loss, ScaledLoss):
        return ProgressiveNewton()
    if isinstance(loss, JointLoss) and smooth and parameters > MOST_JOINT_PARAMETERS:
        few = alone and parameters**2 <= MOST_ELEMENTS * loss.margins
        return BlockLBFGS() if few else TrustRegionNewton()
    if smooth and parameters > (SPARSE_HESSIAN if problem.sparse else MOST_PARAMETERS):
        return TrustRegionNewton()
    return DampedNewton() if problem.rows < FEW_ROWS * parameters else ProgressiveNewton()


def _most_formed(problem: Problem) -> int:
    """Parameters up to which the matrix is formed that the penalty or the loss asks for."""
    if problem.sparse:
        return MOST_SPARSE
    return MOST_FEATURES if problem.loss.quadratic else MOST_PARAMETERS
