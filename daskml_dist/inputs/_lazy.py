"""Whether data wait to be computed, and how data in memory are made to look as if they did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dask.array as da
import dask.dataframe as dd
import xarray as xr
from dask.array.core import normalize_chunks
from scipy.sparse import issparse

from daskml_dist.inputs._align import in_blocks
from daskml_dist.inputs._complaints import has_sparse_blocks
from daskml_dist.types import Table

_CHUNK_BYTES = 1 << 25


def is_lazy(*containers: Any) -> bool:
    """Say whether any of these containers is a dask collection, or holds one."""
    for container in containers:
        if isinstance(container, xr.Dataset):
            return is_lazy(*container.data_vars.values())
        if isinstance(container, xr.DataArray):
            container = container.data
        if isinstance(container, da.Array | dd.DataFrame | dd.Series):
            return True
    return False


def is_sparse(table: Table) -> bool:
    """Say whether X is known to be sparse, unread."""
    return bool(issparse(table.X)) or has_sparse_blocks(table.X)


def made_lazy(table: Table) -> Table:
    """The table as dask arrays, in chunks of about 32 MiB, so that it can be sent to a cluster."""
    if table.lazy:
        return table
    width = 8.0 * table.n_features
    if issparse(table.X):
        width = (table.X.data.nbytes + table.X.indices.nbytes) / max(table.X.shape[0], 1)
    rows = max(int(_CHUNK_BYTES // max(width, 8.0)), 1)
    parts = {
        name: in_blocks(part, normalize_chunks(rows, (part.shape[0],))[0])
        for name, part in table.columns.items()
    }
    return replace(table, **parts, chunks=parts["X"].chunks[0], lazy=True)
