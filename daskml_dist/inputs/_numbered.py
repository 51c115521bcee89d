"""A number for each row of chunked data: the fold or the partition that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import DataNode, Task, TaskRef
from dask.tokenize import tokenize

from daskml_dist.types import AnyArray


class Settled(Protocol):
    """A rule that knows the number of each row of a chunk."""

    def of(self, chunk: int, rows: int, *columns: Any) -> AnyArray:
        """(rows,) the number of each row."""


def numbered(settled: Settled, rows: tuple[int, ...], columns: Mapping[str, Any]) -> Any:
    """(n,) dask array of the number of each row; the rule is one task that all others depend on.

    Parameters
    ----------
    settled : the rule.
    rows : of each chunk.
    columns : dask arrays of these chunks that the rule looks at, by the name of its parameter.
    """
    token = tokenize(settled, rows, *(column.name for column in columns.values()))
    name, rule = f"numbered-{token}", f"rule-{token}"
    layer: dict[Any, Any] = {rule: DataNode(rule, settled)}
    for i, n in enumerate(rows):
        blocks: Any = {
            column: TaskRef((array.name, i, *(0,) * (array.ndim - 1))) for column, array in columns.items()
        }
        layer[(name, i)] = Task((name, i), _numbers, TaskRef(rule), i, n, **blocks)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=list(columns.values()))
    return da.Array(graph, name, (rows,), dtype=np.int32)


def _numbers(settled: Settled, chunk: int, rows: int, **columns: Any) -> AnyArray:
    """(rows,) the number of each row of a chunk, on a worker."""
    return settled.of(chunk, rows, **columns)
