"""Whether data wait to be computed, and how data in memory are made to look as if they did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import dask.array as da
import dask.dataframe as dd
import xarray as xr

from daskml_dist.types import Table

_CHUNK_BYTES = 1 << 25


def is_lazy(*containers: Any) -> bool:
    """Say whether any of these containers is a dask collection, or holds one."""
    for container in containers:
        if isinstance(container, xr.DataArray):
            container = container.data
        if isinstance(container, da.Array | dd.DataFrame | dd.Series):
            return True
    return False


def made_lazy(table: Table) -> Table:
    """The table as dask arrays, in chunks of about 32 MiB, so that it can be sent to a cluster."""
    if table.lazy:
        return table
    rows = max(int(_CHUNK_BYTES // (8 * max(table.n_features, 1))), 1)
    parts = {
        name: da.from_array(part, chunks=(rows, *part.shape[1:]), name=False)
        for name, part in table.columns.items()
    }
    return replace(table, **parts, chunks=parts["X"].chunks[0], lazy=True)
