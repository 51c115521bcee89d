"""Penalties on the coefficients."""

from daskml_dist.penalties._base import Penalty
from daskml_dist.penalties.bounded import Bounded
from daskml_dist.penalties.elastic_net import ElasticNet
from daskml_dist.penalties.l2 import L2
from daskml_dist.penalties.none import Unpenalised
from daskml_dist.penalties.scaled import Scaled

__all__ = ["Bounded", "ElasticNet", "L2", "Penalty", "Scaled", "Unpenalised"]
