"""Where a model lies: all of it that a task carries; each process reads it once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from daskml_dist import edge
from daskml_dist.errors import InvalidData
from daskml_dist.registry import Registry, Version


@final
@dataclass(frozen=True)
class Located:
    """A model that is not loaded yet; small, so that tasks carry it and not the model.

    Attributes
    ----------
    spec : "claims/3", or the path of a model directory.
    registry : its URL; None where ``spec`` is a path.
    digest : SHA-256 of its manifest. Whoever loads it gets this model or an error.
    """

    spec: str
    registry: str | None
    digest: str

    def load(self) -> edge.Model:
        """The model, which this process keeps.

        Raises
        ------
        edge.InvalidModel
            It is damaged, or another model lies there by now.
        """
        return _loaded(self)


def locate(model: str | os.PathLike[str] | Version, registry: str | Registry | None = None) -> Located:
    """Find a model; it is loaded once, so that what is wrong with it is told here.

    Parameters
    ----------
    model : "claims@champion", "claims/3", "claims" (its newest version), a version, or the path of a
        directory that ``daskml_dist.save`` or ``daskml-dist fit --out`` wrote.
    registry : a registry or its URL; None for the default one.

    Raises
    ------
    NotRegistered
        The registry knows no such model.
    edge.InvalidModel
        It is damaged, or has no answer for single rows.
    """
    if isinstance(model, os.PathLike) or (isinstance(model, str) and os.path.isdir(model)):
        path = os.path.abspath(model)
        return Located(path, None, edge.load(path).manifest["sha256"])
    store = registry if isinstance(registry, Registry) else Registry(registry)
    version = model if isinstance(model, Version) else store.version(model)
    found = Located(version.spec, store.url, version.manifest["sha256"])
    found.load()
    return found


@lru_cache(maxsize=8)
def _loaded(located: Located) -> edge.Model:
    if located.registry is None:
        model = edge.load(located.spec)
    else:
        model = Registry(located.registry).version(located.spec).load()
    if model.manifest["sha256"] != located.digest:
        raise InvalidData(f"another model lies at {located.spec} by now; start again with that one")
    return model
