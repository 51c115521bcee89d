"""Rows of chunked data are put into folds where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
from dask.base import is_dask_collection
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import DataNode, Task, TaskRef
from dask.tokenize import tokenize

from daskml_dist import inputs
from daskml_dist.cluster import Hands, connect
from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.fit import settle, settle_folds
from daskml_dist.kernels import FoldTally, Question
from daskml_dist.model_selection._rows import Rows
from daskml_dist.splits import Folds, Split, Tally
from daskml_dist.types import AnyArray, Table


def split_chunks(rule: Split, data: Sequence[Any], y: Any, groups: Any) -> list[tuple[Rows, Rows]]:
    """Train and test rows of each split; rows, labels or groups are counted, and nothing else is computed.

    Parameters
    ----------
    rule : how to split.
    data : containers of the rows, at least one of them (or y or groups) lazy.
    y, groups : (n,) labels and groups, where the rule asks for them.
    """
    hands = connect()
    try:
        rows = _rows(hands, [values for values in (*data, y, groups) if values is not None])
        columns = {name: inputs.column_in_chunks(*asked, rows) for name, asked in _asked(rule, y, groups)}
        table = Table(None, columns.get("y"), None, None, rows, 0, None, True, columns.get("groups"))
        folds, sizes = _folds(hands, rule, table)
    finally:
        hands.close()
    fold = _fold_of_each_row(folds, rows, columns)
    sides = zip(folds.trains, folds.tests, strict=True)
    return [(Rows(fold, trained, sizes), Rows(fold, tested, sizes)) for trained, tested in sides]


def is_chunked(*containers: Any) -> bool:
    """Say whether any of these is lazy, and complain about a lazy one that has no rows."""
    for container in containers:
        if is_dask_collection(container):
            inputs.kind_of(container)
    return inputs.is_lazy(*containers)


def _rows(hands: Hands, data: Sequence[Any]) -> tuple[int, ...]:
    """The rows of each chunk: those of the first lazy container, counted where no lazy one knows them."""
    for values in data:
        inputs.kind_of(values)  # or complain
    lazy = [values for values in data if inputs.is_lazy(values)]
    known = [rows for values in lazy if (rows := inputs.chunk_rows(values)) is not None]
    rows = known[0] if known else tuple(hands.evaluate(inputs.row_counts(lazy[0])).tolist())
    lengths = [sum(found) for values in data if (found := inputs.chunk_rows(values)) is not None]
    if any(length != sum(rows) for length in lengths):
        raise InvalidData(f"Found input variables with inconsistent numbers of samples: {lengths}")
    return rows


def _asked(rule: Split, y: Any, groups: Any) -> list[tuple[str, tuple[Any, str]]]:
    """The columns that a rule asks for, by name: what was given and how it is called."""
    if rule.asks == "labels":
        if y is None:
            raise InvalidData("Labels are needed to stratify, but y is None. Pass y, or use KFold.")
        return [("y", (y, "y"))]
    if rule.asks == "groups":
        if groups is None:
            raise InvalidData("The 'groups' parameter should not be None. Pass one group a row.")
        return [("groups", (groups, "groups"))]
    return []


def _folds(hands: Hands, rule: Split, table: Table) -> tuple[Folds, AnyArray]:
    """The settled rule, and (chunks, F) rows of each chunk in each fold."""
    assert table.chunks is not None
    if rule.asks == "rows":
        folds = rule.settle(Tally(np.array(table.chunks, dtype=np.int64)[:, None]))
    else:
        settle(hands, table)
        folds = settle_folds(hands, rule)
    sizes = hands.answer(Question(FoldTally(folds))) if folds.sizes is None else folds.sizes
    _refuse_other_chunks(rule, table.chunks, tuple(sizes.sum(axis=1).tolist()))
    return folds, sizes


def _refuse_other_chunks(rule: Split, rows: tuple[int, ...], found: tuple[int, ...]) -> None:
    """Complain about labels or groups whose chunks had unknown lengths, and have other rows than X."""
    for chunk, (expected, there) in enumerate(zip(rows, found, strict=True)):
        if expected != there:
            raise ChunkMismatch(
                f"Chunk {chunk} has {expected} rows, and {there} {rule.asks}. Chunks of unknown lengths must "
                "be alike: build X, y and groups from one frame, or call compute_chunk_sizes() so that they "
                "can be aligned."
            )


def _fold_of_each_row(folds: Folds, rows: tuple[int, ...], columns: dict[str, Any]) -> Any:
    """(n,) dask array of the fold of each row; the folds are one task that all others depend on."""
    token = tokenize(folds, rows, *(column.name for column in columns.values()))
    name, settled = f"fold-{token}", f"folds-{token}"
    layer: dict[Any, Any] = {settled: DataNode(settled, folds)}
    for i, n in enumerate(rows):
        blocks: Any = {column: TaskRef((array.name, i)) for column, array in columns.items()}
        layer[(name, i)] = Task((name, i), fold_of, TaskRef(settled), i, n, **blocks)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=list(columns.values()))
    return da.Array(graph, name, (rows,), dtype=np.int32)


def fold_of(
    folds: Folds, chunk: int, rows: int, y: AnyArray | None = None, groups: AnyArray | None = None
) -> AnyArray:
    """(rows,) the fold of each row of a chunk, on a worker."""
    return folds.of(chunk, rows, y, groups)
