"""A function of rows, on one block in memory and on each block of a dask array."""

from __future__ import annotations

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from scipy.sparse import csr_array, issparse

from daskml_dist.inputs._base import RowMap
from daskml_dist.inputs._complaints import refuse_nonfinite, refuse_width
from daskml_dist.types import AnyArray


def map_rows(block: AnyArray, row_map: RowMap, chunk: int | None = None) -> AnyArray:
    """The result for one block of rows; no rows give no results without calling the function.

    Raises
    ------
    InvalidData
        The block is wider or narrower than the function expects.
    NonFiniteData
        It holds NaN or infinity.
    TypeError
        The function kept to neither shape nor dtype that were promised.
    """
    refuse_width(block.shape[1], row_map.n_features)
    if block.shape[0] == 0:
        return row_map.empty()
    block = csr_array(block) if issparse(block) else np.require(block, requirements=["C", "A"])
    refuse_nonfinite(block, "X", row_map.feature_names, chunk)
    result = np.asarray(row_map.function(block))
    expected = block.shape[:1] + row_map.empty().shape[1:]
    if result.shape != expected or not np.can_cast(result.dtype, row_map.dtype, casting="safe"):
        raise TypeError(
            f"The function gave {result.dtype} of shape {result.shape}; {row_map.dtype} of shape "
            f"{expected} was promised."
        )
    return result.astype(row_map.dtype, copy=False)


def map_rows_lazily(array: Any, row_map: RowMap) -> Any:
    """The result for a dask array (n, p) of one column chunk; its row chunks are kept."""
    refuse_width(array.shape[1], row_map.n_features)
    block = partial(apply_rows, row_map=row_map)
    if row_map.outputs is None:
        return da.map_blocks(block, array, drop_axis=1, dtype=row_map.dtype, meta=row_map.empty())
    chunks = (array.chunks[0], (len(row_map.outputs),))
    return da.map_blocks(block, array, chunks=chunks, dtype=row_map.dtype, meta=row_map.empty())


def apply_rows(block: AnyArray, *, row_map: RowMap, block_id: tuple[int, ...] | None = None) -> AnyArray:
    """One block of a dask array, which dask tells its number."""
    return map_rows(block, row_map, None if block_id is None else block_id[0])
