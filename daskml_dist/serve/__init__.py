"""Many servers of a model: replicas, agents that keep them alive, and a gateway in front of them.

Names are imported when first used: a replica imports this room and neither Dask nor a registry.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daskml_dist.serve.deployment import Deployment, deploy
    from daskml_dist.serve.gateway import CannotServe

__all__ = ["CannotServe", "Deployment", "deploy"]

_HOMES = {"CannotServe": "gateway", "Deployment": "deployment", "deploy": "deployment"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'daskml_dist.serve' has no attribute {name!r}")
    found = getattr(import_module(f"daskml_dist.serve.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
