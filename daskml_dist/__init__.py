"""Interactive machine learning on Dask: certified optima in few passes over partitioned data."""

from __future__ import annotations

from importlib.metadata import version

from daskml_dist.advice import plan
from daskml_dist.partitioning import balance, repartition
from daskml_dist.saving import load, save

__all__ = ["__version__", "balance", "load", "plan", "repartition", "save"]

__version__ = version("daskml_dist")
