"""Interactive machine learning on Dask: certified optima in few passes over partitioned data.

Names are imported when first used: a server of models imports this package and neither Dask nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daskml_dist.advice import plan
    from daskml_dist.cluster.placement import Placement
    from daskml_dist.partitioning.balance import balance
    from daskml_dist.partitioning.repartition import repartition
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

_HOMES = {
    "Checkpoint": "storage",
    "Placement": "cluster.placement",
    "Run": "run",
    "balance": "partitioning",
    "load": "saving",
    "plan": "advice",
    "repartition": "partitioning",
    "save": "saving",
    "train": "run",
}
_ROOMS = ("linear_model", "losses", "metrics", "model_selection", "monitor", "partition")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"daskml_dist.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'daskml_dist' has no attribute {name!r}")
    found = getattr(import_module(f"daskml_dist.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
