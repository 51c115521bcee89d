"""Interactive machine learning on Dask: certified optima in few passes over partitioned data."""

from __future__ import annotations

from importlib.metadata import version

from daskml_dist.advice import plan
from daskml_dist.cluster.placement import Placement
from daskml_dist.partitioning import balance, repartition
from daskml_dist.run import Run, train
from daskml_dist.saving import load, save
from daskml_dist.storage import Checkpoint

__all__ = [
    "Checkpoint",
    "Placement",
    "Run",
    "__version__",
    "balance",
    "load",
    "plan",
    "repartition",
    "save",
    "train",
]

__version__ = version("daskml_dist")
