"""Chunks that do not stay in memory: how to load one, and only one, when it is asked for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NoReturn, TypeVar, final

import dask
import numpy as np
from dask.core import get_dependencies
from dask.typing import Key

from daskml_dist.errors import ChunkUnreadable, DaskmlDistError
from daskml_dist.kernels import canonical
from daskml_dist.types import Chunk, Table

T = TypeVar("T")

READS = 3
"""How often a task is run that raises OSError: a file system may fail for a moment."""
_PAUSE = 0.2  # seconds before it is run again, and twice as long each time


def patiently(read: Callable[[], T]) -> T:
    """What ``read()`` returns, tried again where it raises OSError."""
    for tried in range(READS - 1):
        try:
            return read()
        except OSError:
            time.sleep(_PAUSE * 2**tried)
    return read()


@final
@dataclass(frozen=True)
class Recipe:
    """The part of the table's graph that makes one chunk.

    Attributes
    ----------
    id : of the chunk.
    graph : tasks by key.
    keys : the key of each column of the chunk.
    rows : the first one and the one after the last in the table, where they are known.
    """

    id: int
    graph: Mapping[Key, Any]
    keys: Mapping[str, Key]
    rows: tuple[int, int] | None = None

    def load(self, features: bool) -> Chunk:
        """Run the tasks of this chunk in this thread, one after the other.

        Raises
        ------
        ChunkUnreadable
            A task failed, such as the reading of a damaged file; the message names chunk and task.
        """
        wanted = {name: key for name, key in self.keys.items() if features or name != "X"}
        started: list[Key] = []
        note = (None, None, lambda key, graph, state: started.append(key), None, None)
        try:
            graph, keys = dict(self.graph), list(wanted.values())
            blocks = patiently(lambda: dask.get(graph, keys, callbacks=[note]))
        except (DaskmlDistError, MemoryError):
            raise
        except Exception as error:  # whatever reads a file has errors of its own
            key = started[-1]
            name = next(name for name in wanted if key in _needed(self.graph, [wanted[name]]))
            raise ChunkUnreadable(complaint(self.id, name, self.rows, key, error)) from error
        return chunk_of(self.id, dict(zip(wanted, blocks, strict=True)))


def complaint(chunk: int, name: str, rows: tuple[int, int] | None, key: Key, error: BaseException) -> str:
    """What is known of a chunk whose task ``key`` failed: that knows its block, and an error seldom does."""
    span = "" if rows is None else f" (rows {rows[0]:,} to {rows[1] - 1:,})"
    said = (str(error).splitlines() or [""])[0]
    return (
        f"Chunk {chunk} of {name}{span} cannot be computed: {_described(key)} fails with "
        f"{type(error).__name__}: {said}. If it comes from a file, that is damaged, truncated or gone: "
        "restore it, or leave these rows out."
    )


def refuse_unreadable(table: Table, error: Exception) -> NoReturn:
    """Raise what is known of a chunk that cannot be computed, found by loading one after the other.

    Raises
    ------
    ChunkUnreadable
        The first chunk that fails again; where none does, ``error`` itself.
    """
    if not isinstance(error, DaskmlDistError | MemoryError):
        for recipe in recipes(table):
            recipe.load(features=True)
    raise error


def _described(key: Key) -> str:
    """A key as a person reads it: the name without its hash, and which block of the array."""
    name, *block = key if isinstance(key, tuple) else (key,)
    plain = re.sub(r"-[0-9a-f]{32}$", "", str(name))
    return f"block ({', '.join(map(str, block))}) of {plain!r}" if block else f"{plain!r}"


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
    rows = spans(table.chunks, len(by_name[names[0]]))
    return [
        Recipe(
            i,
            _needed(graph, list(keys)),
            dict(zip(names, keys, strict=True)),
            rows[i],
        )
        for i, keys in enumerate(chunks)
    ]


def spans(rows: tuple[int, ...] | None, chunks: int) -> list[tuple[int, int] | None]:
    """The first row of each chunk and the one after its last; None where they are unknown."""
    return [None] * chunks if rows is None else list(pairwise(accumulate(rows, initial=0)))


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
