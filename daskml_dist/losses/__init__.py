"""Losses: half unit deviances as functions of the margin."""

from daskml_dist.losses._base import Loss
from daskml_dist.losses.logistic import Logistic
from daskml_dist.losses.poisson import Poisson
from daskml_dist.losses.squared import Squared

__all__ = ["Logistic", "Loss", "Poisson", "Squared"]
