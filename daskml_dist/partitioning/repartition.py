"""Rows and columns moved to the partitions that a strategy names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist import inputs
from daskml_dist.cluster import Hands, connect
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.fit import count_rows, settle
from daskml_dist.inputs import Chosen
from daskml_dist.kernels import Question, tally
from daskml_dist.partition import Assignment, Strategy
from daskml_dist.partitioning._columns import cut_columns, sample_of
from daskml_dist.splits import Tally
from daskml_dist.types import AnyArray, Table


@final
@dataclass(frozen=True)
class Columns:
    """Features in partitions, and rows as they are: vertical partitions, for model parallelism.

    Attributes
    ----------
    columns : the strategy, for which the features are the rows.
    """

    columns: Strategy


@final
@dataclass(frozen=True)
class Grid:
    """Rows and features in partitions: hybrid parallelism.

    Attributes
    ----------
    rows, columns : the strategies of both.
    """

    rows: Strategy
    columns: Strategy


def repartition(
    *arrays: Any, by: Strategy | Columns | Grid, keys: Any = None, column_keys: Any = None
) -> list[Any]:
    """Move rows, or columns, into partitions; each of them becomes one chunk.

    Parameters
    ----------
    *arrays : (n, ...) numpy, scipy.sparse, pandas, dask arrays, dataframes or series, xarray, together as
        they like: X, y, sample weights. All of them get the same rows in the same chunks.
    by : a strategy of ``daskml_dist.partition`` for the rows; or ``Columns(strategy)`` for the features of
        the first array, or ``Grid(rows, columns)`` for both.
    keys : (n,) the labels, groups or keys that the strategy looks at.
    column_keys : (p,) the same for the columns.

    Returns
    -------
    list of lazy containers, in the order given: dask arrays stay dask arrays, dataframes stay dask
    dataframes and xarray stays xarray; what was in memory becomes the lazy kind. Chunk i is partition i.
    Within a partition rows keep their order. Index, names, dims and coords go with the rows.

    Raises
    ------
    InvalidData
        Lengths that differ; fewer rows, groups or members of a class than partitions; missing keys.
    UnsupportedParameter
        No strategy, keys that the strategy does not look at, or none where it needs them.

    Notes
    -----
    Before this returns rows are counted, and labels, groups or hashes where the strategy asks for them.
    Nothing moves until the result is computed or persisted; then each chunk is read once, if the workers
    hold it or its parts until the last partition took its rows, and sent where its rows go. Every row is
    in exactly one partition.

    Examples
    --------
    >>> import dask.array as da
    >>> from daskml_dist import partition, repartition
    >>> X, user = da.ones((1000, 3), chunks=(100, 3)), da.arange(1000, chunks=100) // 10
    >>> [together] = repartition(X, by=partition.ByGroup(4), keys=user)
    >>> together.chunks[0]
    (250, 250, 250, 250)
    """
    rows, columns = _strategies(by)
    if not arrays:
        raise InvalidData("At least one array required as input")
    moved = list(arrays) if rows is None else _moved_rows(arrays, rows, keys)
    if columns is not None:
        moved[0] = cut_columns(moved[0], columns, column_keys)
    elif column_keys is not None:
        raise UnsupportedParameter(
            "column_keys were given, and by= says nothing of columns: use Columns or Grid."
        )
    if rows is None and keys is not None:
        raise UnsupportedParameter(
            "keys were given, and by=Columns(...) moves no rows: use column_keys or Grid."
        )
    return moved


def _strategies(by: Any) -> tuple[Strategy | None, Strategy | None]:
    """The strategy of the rows and that of the columns."""
    if isinstance(by, Strategy):
        return by, None
    if isinstance(by, Columns) and isinstance(by.columns, Strategy):
        return None, by.columns
    if isinstance(by, Grid) and isinstance(by.rows, Strategy) and isinstance(by.columns, Strategy):
        return by.rows, by.columns
    raise UnsupportedParameter(
        f"by={by!r} was given; expected a strategy of daskml_dist.partition, as Random(8), or Columns or "
        "Grid of such strategies."
    )


def _moved_rows(arrays: tuple[Any, ...], by: Strategy, keys: Any) -> list[Any]:
    """The rows of all arrays in the partitions of a strategy."""
    _refuse_keys(by, keys)
    hands = connect(None, lazy=inputs.is_lazy(*arrays, keys))
    try:
        rows = count_rows(hands, [values for values in (*arrays, keys) if values is not None])
        columns = _looked_at(arrays[0], by, keys, rows)
        assignment = _settled(hands, by, rows, columns)
        part = inputs.numbered(assignment, rows, columns)
        sizes = hands.evaluate(_sizes(part, by.n_partitions))
        positions = hands.evaluate(part) if any(map(inputs.index_needed, arrays)) else None
    finally:
        hands.close()
    chosen = [_chosen(part, k, rows, sizes, positions) for k in range(by.n_partitions)]
    return [inputs.one_chunk_each([inputs.take(values, one) for one in chosen]) for values in arrays]


def _looked_at(X: Any, by: Strategy, keys: Any, rows: tuple[int, ...]) -> dict[str, Any]:
    """What the strategy looks at, in the chunks of the rows, by its name in ``Assignment.of``."""
    if by.asks == "rows":
        return {}
    if by.asks == "features":
        return {"column": inputs.matrix_in_chunks(X, rows)}
    return {"column": inputs.column_in_chunks(keys, "keys", rows)}


def _settled(hands: Hands, by: Strategy, rows: tuple[int, ...], columns: dict[str, Any]) -> Assignment:
    """The strategy, once what it asks for is counted or drawn."""
    counted = Tally(np.array(rows, dtype=np.int64)[:, None])
    if by.asks == "features":
        return by.settle(counted, hands.evaluate(sample_of(columns["column"], by, rows)))
    if by.asks in ("labels", "groups"):
        name = "y" if by.asks == "labels" else "groups"
        parts = {"y": None, "groups": None} | {name: columns["column"]}
        settle(hands, Table(None, parts["y"], None, None, rows, 0, None, True, parts["groups"]))
        counted = hands.answer(Question(tally(by.asks)))
    return by.settle(counted)


def _sizes(part: Any, n_partitions: int) -> Any:
    """(chunks, P) rows of each chunk in each partition, lazily."""
    chunks = ((1,) * part.numblocks[0], (n_partitions,))
    meta = np.empty((0, 0), dtype=np.int64)
    return part.map_blocks(_counted, n_partitions, new_axis=1, chunks=chunks, dtype=np.int64, meta=meta)


def _counted(part: AnyArray, n_partitions: int) -> AnyArray:
    return np.bincount(part, minlength=n_partitions)[None, :]


def _chosen(part: Any, k: int, rows: tuple[int, ...], sizes: AnyArray, positions: AnyArray | None) -> Chosen:
    """The rows of partition k."""
    wanted = np.arange(sizes.shape[1]) == k
    index = None if positions is None else np.flatnonzero(positions == k)
    return Chosen(part, wanted, rows, tuple(sizes[:, k].tolist()), index)


def _refuse_keys(by: Strategy, keys: Any) -> None:
    """Refuse keys that nobody looks at, and their absence where somebody does."""
    asked = by.asks in ("labels", "groups", "keys")
    if asked and keys is None:
        raise UnsupportedParameter(
            f"by={by!r} looks at {by.asks}, and keys is None: pass keys=, one value for each row."
        )
    if keys is not None and not asked:
        raise UnsupportedParameter(f"keys were given, and by={by!r} does not look at them. Leave them out.")
