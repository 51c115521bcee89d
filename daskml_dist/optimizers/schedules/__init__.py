"""Schedules: how the learning rate changes from step to step."""

from daskml_dist.optimizers.schedules._base import Schedule
from daskml_dist.optimizers.schedules.adaptive import Adaptive
from daskml_dist.optimizers.schedules.constant import Constant
from daskml_dist.optimizers.schedules.cosine import Cosine
from daskml_dist.optimizers.schedules.inverse_scaling import InverseScaling
from daskml_dist.optimizers.schedules.optimal import Optimal
from daskml_dist.optimizers.schedules.scaled import Scaled
from daskml_dist.optimizers.schedules.warm_up import WarmUp

__all__ = ["Adaptive", "Constant", "Cosine", "InverseScaling", "Optimal", "Scaled", "Schedule", "WarmUp"]
