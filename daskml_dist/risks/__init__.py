"""Risks: how the losses of groups become one number, and which weights of groups that is the worst of."""

from daskml_dist.risks._base import Ambiguity, Risk
from daskml_dist.risks.chi_square import ChiSquare
from daskml_dist.risks.cvar import CVaR
from daskml_dist.risks.mean import Mean
from daskml_dist.risks.worst_group import WorstGroup

__all__ = ["Ambiguity", "CVaR", "ChiSquare", "Mean", "Risk", "WorstGroup"]
