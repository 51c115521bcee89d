"""The graphs of many models at once: one task a block, and a tree over the blocks of the same cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from itertools import product
from typing import Any

import dask
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import Task, TaskRef
from dask.tokenize import tokenize

from daskml_dist.labelled._blocks import Cut

_FAN_IN = 8


def fused(cut: Cut) -> Cut:
    """The same arrays, whose reading and converting is one task a block."""
    arrays: Any = dask.optimize(*cut.arrays)
    return replace(cut, arrays=tuple(arrays))


def by_cells(
    cut: Cut,
    n_cells: int,
    task: Callable[..., Any],
    join: Callable[[Any, Any], Any] | None,
    finish: Callable[[Any], Any],
    *,
    chosen: Mapping[tuple[int, ...], Any] | None = None,
) -> Delayed:
    """What is found for each block of cells, as a list, lazily.

    Parameters
    ----------
    cut : the arrays, whose first ``n_cells`` dims are those of cells.
    task : called with a block, what is chosen for it, and its arrays.
    join : what two neighbours among the samples make; None where there are none.
    finish : the result of a block of cells, from that of all its samples.
    chosen : what is to be done for each block of cells, where it is not all or not the same.

    Returns
    -------
    Delayed list, in the order of the blocks of cells (of those that are chosen).
    """
    name = f"cells-{tokenize([a.name for a in cut.arrays], task, cut.chunks, chosen)}"
    layer: dict[Any, Any] = {}
    blocks = {block.number: block for block in cut.blocks()}
    ends: list[Any] = []
    for cell in product(*map(range, cut.numblocks[:n_cells])):
        if chosen is not None and cell not in chosen:
            continue
        extra = () if chosen is None else (chosen[cell],)
        keys = []
        for sample in product(*map(range, cut.numblocks[n_cells:])):
            key: Any = (name, *cell, *sample)
            layer[key] = Task(key, task, blocks[cell + sample], *extra, *cut.references(cell + sample))
            keys.append(key)
        last = _tree(layer, keys, (f"{name}-join", *cell), join)
        end: Any = (f"{name}-end", *cell)
        layer[end] = Task(end, finish, TaskRef(last))
        ends.append(end)
    top = f"{name}-all"
    layer[top] = Task(top, _listed, *(TaskRef(end) for end in ends))
    arrays: Any = list(cut.arrays)
    return Delayed(top, HighLevelGraph.from_collections(top, layer, dependencies=arrays))


def _tree(layer: dict[Any, Any], keys: list[Any], name: Any, join: Callable[[Any, Any], Any] | None) -> Any:
    """One key that stands for all: neighbours are joined first, whatever comes in first."""
    level = 0
    while len(keys) > 1:
        assert join is not None
        groups = [keys[i : i + _FAN_IN] for i in range(0, len(keys), _FAN_IN)]
        keys = []
        for number, group in enumerate(groups):
            key = (*name, level, number)
            layer[key] = Task(key, _reduced, join, *map(TaskRef, group))
            keys.append(key)
        level += 1
    return keys[0]


def _reduced(join: Callable[[Any, Any], Any], *parts: Any) -> Any:
    return reduce(join, parts)


def _listed(*parts: Any) -> list[Any]:
    return list(parts)
