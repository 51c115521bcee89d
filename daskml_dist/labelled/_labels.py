"""Labels that must be equal before arrays are brought together by the names of their dims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from daskml_dist.errors import ChunkMismatch, InvalidData


def refuse_other_labels(arrays: Mapping[str, xr.DataArray | xr.Dataset]) -> None:
    """Complain where arrays differ along a dim that they share; as ``join="exact"`` of xarray does.

    Parameters
    ----------
    arrays : by the name that messages call them.

    Raises
    ------
    InvalidData
        Other lengths.
    ChunkMismatch
        Other labels; the message names the dim and the first labels that differ.
    """
    first: dict[Any, tuple[str, int]] = {}
    labelled: dict[Any, tuple[str, Any]] = {}
    for name, array in arrays.items():
        for dim, size in array.sizes.items():
            other, length = first.setdefault(dim, (name, size))
            if length != size:
                raise InvalidData(
                    f"{other} has {length} labels on dim {dim!r} and {name} has {size}. Samples are brought "
                    f"together by their dims: {_aligned(other, name)}."
                )
            index = array.indexes.get(dim)
            if index is not None:
                known, labels = labelled.setdefault(dim, (name, index))
                if not index.equals(labels):
                    raise ChunkMismatch(_differing(known, labels, name, index, dim))


def _differing(known: str, labels: Any, name: str, index: Any, dim: Any) -> str:
    """Where two indexes differ first, and what to do."""
    unequal = np.fromiter((a != b for a, b in zip(labels, index, strict=True)), dtype=bool, count=len(index))
    where = int(unequal.argmax())
    return (
        f"{known} and {name} have different labels on dim {dim!r}: the first to differ is number {where}, "
        f"{labels[where]} and {index[where]}. Align them: {_aligned(known, name)}; or drop the labels of "
        f"one: {name}.drop_vars({dim!r})."
    )


def _aligned(one: str, other: str) -> str:
    return f"{one}, {other} = xarray.align({one}, {other}, join='inner')"
