"""Which solver ``solver="auto"`` means where there are groups."""

from __future__ import annotations

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses import Loss
from daskml_dist.penalties import Penalty
from daskml_dist.risks import Risk
from daskml_dist.solvers.exponentiated_gradient import ExponentiatedGradient
from daskml_dist.solvers.group_dro import GroupDRO
from daskml_dist.solvers.group_newton import GroupNewton, fits
from daskml_dist.solvers.group_problem import GroupProblem, GroupSolver
from daskml_dist.solvers.proximal_bundle import ProximalBundle

GROUP_SOLVERS: dict[str, type[GroupSolver]] = {
    solver.name: solver for solver in (GroupNewton, ProximalBundle, ExponentiatedGradient, GroupDRO)
}


def named_for_groups(name: str, loss: Loss, penalty: Penalty, risk: Risk) -> GroupSolver | None:
    """That solver, or None for "auto"; refuses what it cannot do before data are touched."""
    if name == "auto":
        return None
    if name not in GROUP_SOLVERS:
        known = ", ".join(repr(known) for known in ("auto", *GROUP_SOLVERS))
        raise UnsupportedParameter(f"solver={name!r} was given; expected one of {known}.")
    solver = GROUP_SOLVERS[name]()
    solver.refuse(loss, penalty)
    solver.refuse_risk(risk)
    return solver


def automatic_for_groups(problem: GroupProblem) -> GroupSolver:
    """Newton's method where the Hessians of all groups fit into an answer, else a bundle."""
    return GroupNewton() if fits(problem) else ProximalBundle()
