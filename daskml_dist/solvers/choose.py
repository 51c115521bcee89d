"""Which solver ``solver="auto"`` means."""

from __future__ import annotations

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses import JointLoss, Loss, PiecewiseLinear, ScaledLoss
from daskml_dist.penalties import Penalty
from daskml_dist.solvers._base import Solver
from daskml_dist.solvers.block_lbfgs import MOST_ELEMENTS, BlockLBFGS
from daskml_dist.solvers.damped_newton import DampedNewton
from daskml_dist.solvers.lbfgs import LBFGS
from daskml_dist.solvers.least_squares import MOST_FEATURES, LeastSquares
from daskml_dist.solvers.narrowing import Narrowing
from daskml_dist.solvers.progressive_newton import ProgressiveNewton

#: by name; BlockLBFGS is for automatic() alone, since names are checked before classes are counted
SOLVERS: dict[str, type[Solver]] = {
    solver.name: solver for solver in (LeastSquares, ProgressiveNewton, DampedNewton, LBFGS, Narrowing)
}
MOST_PARAMETERS = 5000  # from here on a Hessian is too large to be worth forming
MOST_JOINT_PARAMETERS = 1500  # the same for a joint loss, whose Hessian no sample makes cheap
FEW_ROWS = 20  # rows a parameter: below that, a sample tells too little of the rest


def named(name: str | Solver, loss: Loss, penalty: Penalty) -> Solver | None:
    """The solver of that name, or None for "auto"; refuses what it cannot do before data are touched."""
    if name == "auto" or isinstance(name, Solver):
        return name if isinstance(name, Solver) else None
    if name not in SOLVERS:
        known = ", ".join(repr(known) for known in ("auto", *SOLVERS))
        raise UnsupportedParameter(f"solver={name!r} was given; expected one of {known}.")
    solver = SOLVERS[name]()
    solver.refuse(loss, penalty)
    return solver


def automatic(loss: Loss, rows: int, parameters: int) -> Solver:
    """The solver for this many rows and parameters."""
    if loss.quadratic:
        return LeastSquares() if parameters <= MOST_FEATURES else LBFGS()
    if isinstance(loss, PiecewiseLinear):
        return Narrowing()
    if isinstance(loss, ScaledLoss):
        return ProgressiveNewton()
    if isinstance(loss, JointLoss) and parameters > MOST_JOINT_PARAMETERS:
        return BlockLBFGS() if parameters**2 <= MOST_ELEMENTS * loss.margins else LBFGS()
    if parameters > MOST_PARAMETERS:
        return LBFGS()
    return DampedNewton() if rows < FEW_ROWS * parameters else ProgressiveNewton()
