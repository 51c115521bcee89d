"""xarray Datasets in memory, whose length for scikit-learn would be the number of their variables."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from daskml_dist import inputs


def countable(values: Any) -> Any:
    """What scikit-learn can part in place of ``values``: the positions of the rows of a Dataset."""
    if not isinstance(values, xr.Dataset):
        return values
    rows = inputs.chunk_rows(values)
    assert rows is not None
    return np.arange(sum(rows))


def taken(values: Any, part: Any) -> Any:
    """What ``part`` stands for: itself, or these rows of a Dataset."""
    if not isinstance(values, xr.Dataset):
        return part
    [dim] = next(iter(values.data_vars.values())).dims
    return values.isel({dim: part})
