"""Optimizers: pure rules that move a point by gradients, for whoever has gradients."""

from daskml_dist.optimizers._base import Optimizer, OptimizerState
from daskml_dist.optimizers.adagrad import AdaGrad
from daskml_dist.optimizers.adam import Adam
from daskml_dist.optimizers.adamw import AdamW
from daskml_dist.optimizers.averaging import Averaging
from daskml_dist.optimizers.momentum import Momentum
from daskml_dist.optimizers.nesterov import Nesterov
from daskml_dist.optimizers.rmsprop import RMSProp
from daskml_dist.optimizers.schedule_free import ScheduleFree
from daskml_dist.optimizers.schedules import (
    Adaptive,
    Constant,
    Cosine,
    InverseScaling,
    Optimal,
    Scaled,
    Schedule,
    WarmUp,
)
from daskml_dist.optimizers.sgd import SGD

__all__ = [
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adaptive",
    "Averaging",
    "Constant",
    "Cosine",
    "InverseScaling",
    "Momentum",
    "Nesterov",
    "Optimal",
    "Optimizer",
    "OptimizerState",
    "RMSProp",
    "SGD",
    "Scaled",
    "Schedule",
    "ScheduleFree",
    "WarmUp",
]
