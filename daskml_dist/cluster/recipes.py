"""Chunks that do not stay in memory: how to load one, and only one, when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import dask
import numpy as np
from dask.core import get_dependencies
from dask.typing import Key

from daskml_dist.kernels import canonical
from daskml_dist.types import Chunk, Table


@final
@dataclass(frozen=True)
class Recipe:
    """The part of the table's graph that makes one chunk.

    Attributes
    ----------
    id : of the chunk.
    graph : tasks by key.
    keys : the key of each column of the chunk.
    """

    id: int
    graph: Mapping[Key, Any]
    keys: Mapping[str, Key]

    def load(self, features: bool) -> Chunk:
        """Run the tasks of this chunk in this thread, one after the other."""
        wanted = {name: key for name, key in self.keys.items() if features or name != "X"}
        blocks = dask.get(dict(self.graph), list(wanted.values()))
        return chunk_of(self.id, dict(zip(wanted, blocks, strict=True)))


def chunk_of(chunk_id: int, columns: Mapping[str, Any]) -> Chunk:
    """A chunk of blocks as they come out of a table: the one column block of X is a matrix."""
    X = columns.get("X")
    return Chunk(
        chunk_id,
        None if X is None else canonical(X),
        *(
            None if (part := columns.get(name)) is None else np.asarray(part)
            for name in ("y", "weight", "offset", "groups")
        ),
    )


def block_keys(table: Table) -> list[dict[str, Key]]:
    """The keys of the blocks of each chunk, by column."""
    by_name = {name: list(_flat(part.__dask_keys__())) for name, part in table.columns.items()}
    return [dict(zip(by_name, keys, strict=True)) for keys in zip(*by_name.values(), strict=True)]


def recipes(table: Table) -> list[Recipe]:
    """One recipe a chunk; work that chunks share is done by each of them."""
    names = list(table.columns)
    parts = dask.optimize(*table.columns.values())
    optimised = dict(zip(names, parts, strict=True))
    graph: dict[Key, Any] = {}
    for part in parts:
        graph.update(dict(part.__dask_graph__()))
    by_name = {name: list(_flat(part.__dask_keys__())) for name, part in optimised.items()}
    chunks = zip(*by_name.values(), strict=True)
    return [
        Recipe(i, _needed(graph, list(keys)), dict(zip(names, keys, strict=True)))
        for i, keys in enumerate(chunks)
    ]


def _needed(graph: Mapping[Key, Any], keys: list[Key]) -> dict[Key, Any]:
    """The tasks that these keys depend on."""
    needed: dict[Key, Any] = {}
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in needed:
            needed[key] = graph[key]
            waiting.extend(get_dependencies(graph, key))
    return needed


def _flat(keys: Any) -> Any:
    for key in keys:
        if isinstance(key, list):
            yield from _flat(key)
        else:
            yield key
