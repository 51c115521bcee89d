"""Solvers: conversations that find the minimum."""

from daskml_dist.solvers._base import (
    LARGE,
    Conversation,
    Problem,
    Progress,
    Solution,
    Solver,
    State,
    Turn,
    converse,
)
from daskml_dist.solvers.choose import automatic, named
from daskml_dist.solvers.damped_newton import DampedNewton
from daskml_dist.solvers.lbfgs import LBFGS
from daskml_dist.solvers.least_squares import LeastSquares
from daskml_dist.solvers.progressive_newton import ProgressiveNewton
from daskml_dist.solvers.trust_region_newton import TrustRegionNewton

__all__ = [
    "Conversation",
    "DampedNewton",
    "LARGE",
    "LBFGS",
    "LeastSquares",
    "Problem",
    "Progress",
    "ProgressiveNewton",
    "Solution",
    "Solver",
    "State",
    "TrustRegionNewton",
    "Turn",
    "automatic",
    "converse",
    "named",
]
