"""Losses: half unit deviances as functions of the margin."""

from daskml_dist.losses._base import JointLoss, Loss, ScaledLoss
from daskml_dist.losses.binomial import Binomial
from daskml_dist.losses.epsilon_insensitive import EpsilonInsensitive
from daskml_dist.losses.fixed_huber import FixedHuber
from daskml_dist.losses.gamma import Gamma
from daskml_dist.losses.hinge import Hinge
from daskml_dist.losses.huber import Huber
from daskml_dist.losses.logistic import Logistic
from daskml_dist.losses.modified_huber import ModifiedHuber
from daskml_dist.losses.piecewise_linear import Kink, PiecewiseLinear, Smoothed
from daskml_dist.losses.poisson import Poisson
from daskml_dist.losses.quantile import Quantile
from daskml_dist.losses.softmax import Softmax
from daskml_dist.losses.squared import Squared
from daskml_dist.losses.squared_epsilon_insensitive import SquaredEpsilonInsensitive
from daskml_dist.losses.squared_hinge import SquaredHinge
from daskml_dist.losses.tweedie import Tweedie

__all__ = [
    "Binomial",
    "EpsilonInsensitive",
    "FixedHuber",
    "Gamma",
    "Hinge",
    "Huber",
    "JointLoss",
    "Kink",
    "Logistic",
    "Loss",
    "ModifiedHuber",
    "PiecewiseLinear",
    "Poisson",
    "Quantile",
    "ScaledLoss",
    "Smoothed",
    "Softmax",
    "Squared",
    "SquaredEpsilonInsensitive",
    "SquaredHinge",
    "Tweedie",
]
