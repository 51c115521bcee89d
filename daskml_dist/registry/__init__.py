"""Registry: models with names, versions that never change, aliases with a history, and what is made of them.

Names are imported when first used: whoever only looks versions up imports neither Dask nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daskml_dist.registry.aliases import Event
    from daskml_dist.registry.comparing import Comparison
    from daskml_dist.registry.compression import Compressed, CompressionRefused, compress
    from daskml_dist.registry.mlflow_log import log_to_mlflow
    from daskml_dist.registry.names import NotRegistered, parse
    from daskml_dist.registry.pruning import prune
    from daskml_dist.registry.signing import create_key
    from daskml_dist.registry.sklearn_models import from_sklearn, to_sklearn
    from daskml_dist.registry.store import Registry
    from daskml_dist.registry.version import Version

_HOMES = {
    "Comparison": "comparing",
    "Compressed": "compression",
    "CompressionRefused": "compression",
    "Event": "aliases",
    "NotRegistered": "names",
    "Registry": "store",
    "Version": "version",
    "compress": "compression",
    "create_key": "signing",
    "from_sklearn": "sklearn_models",
    "log_to_mlflow": "mlflow_log",
    "parse": "names",
    "prune": "pruning",
    "to_sklearn": "sklearn_models",
}

__all__ = [
    "Comparison",
    "Compressed",
    "CompressionRefused",
    "Event",
    "NotRegistered",
    "Registry",
    "Version",
    "compress",
    "create_key",
    "from_sklearn",
    "log_to_mlflow",
    "parse",
    "prune",
    "to_sklearn",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'daskml_dist.registry' has no attribute {name!r}")
    return getattr(import_module(f"daskml_dist.registry.{_HOMES[name]}"), name)
