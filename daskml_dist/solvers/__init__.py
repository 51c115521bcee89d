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
    null_point,
)
from daskml_dist.solvers.block_lbfgs import BlockLBFGS
from daskml_dist.solvers.by_target import by_target
from daskml_dist.solvers.choose import automatic, named
from daskml_dist.solvers.choose_group import GROUP_SOLVERS, automatic_for_groups, named_for_groups
from daskml_dist.solvers.damped_newton import DampedNewton
from daskml_dist.solvers.exponentiated_gradient import ExponentiatedGradient
from daskml_dist.solvers.gradient_descent import GradientDescent
from daskml_dist.solvers.grid import Grid
from daskml_dist.solvers.group_dro import GroupDRO
from daskml_dist.solvers.group_newton import GroupNewton
from daskml_dist.solvers.group_problem import GroupProblem, GroupSolver
from daskml_dist.solvers.joined import joined_point, joined_progress
from daskml_dist.solvers.lasso_search import LassoSearch
from daskml_dist.solvers.lbfgs import LBFGS
from daskml_dist.solvers.least_squares import LeastSquares
from daskml_dist.solvers.model_parallel import MODEL_PARALLEL, BlockConversation, Reached, model_parallel
from daskml_dist.solvers.narrowing import Narrowing
from daskml_dist.solvers.progressive_newton import ProgressiveNewton
from daskml_dist.solvers.proximal_bundle import ProximalBundle
from daskml_dist.solvers.rate_search import RateSearch
from daskml_dist.solvers.ridge_accuracy import RidgeAccuracy
from daskml_dist.solvers.ridge_leave_one_out import RidgeLeaveOneOut
from daskml_dist.solvers.ridge_search import RidgeSearch
from daskml_dist.solvers.served_steps import STALENESS
from daskml_dist.solvers.stochastic import SCORE, SCORE_ERROR, STRATEGIES, StochasticGradient
from daskml_dist.solvers.together import Judged, ManyConversation, Meeting, Member, at_once, in_turn, together
from daskml_dist.solvers.track import SERVED
from daskml_dist.solvers.trust_region_newton import TrustRegionNewton
from daskml_dist.solvers.uncertainty import Uncertainty, uncertainty, unsuited
from daskml_dist.solvers.working_set import WorkingSet

__all__ = [
    "BlockConversation",
    "BlockLBFGS",
    "Conversation",
    "DampedNewton",
    "ExponentiatedGradient",
    "GROUP_SOLVERS",
    "GradientDescent",
    "Grid",
    "GroupDRO",
    "GroupNewton",
    "GroupProblem",
    "GroupSolver",
    "Judged",
    "LARGE",
    "LBFGS",
    "LassoSearch",
    "LeastSquares",
    "MODEL_PARALLEL",
    "ManyConversation",
    "Meeting",
    "Member",
    "Narrowing",
    "Problem",
    "Progress",
    "ProgressiveNewton",
    "ProximalBundle",
    "RateSearch",
    "Reached",
    "RidgeAccuracy",
    "RidgeLeaveOneOut",
    "RidgeSearch",
    "SCORE",
    "SCORE_ERROR",
    "SERVED",
    "STALENESS",
    "STRATEGIES",
    "Solution",
    "Solver",
    "State",
    "StochasticGradient",
    "TrustRegionNewton",
    "Turn",
    "Uncertainty",
    "WorkingSet",
    "at_once",
    "automatic",
    "automatic_for_groups",
    "by_target",
    "converse",
    "in_turn",
    "joined_point",
    "joined_progress",
    "model_parallel",
    "named",
    "named_for_groups",
    "null_point",
    "together",
    "uncertainty",
    "unsuited",
]
