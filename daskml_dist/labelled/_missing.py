"""Where a value is missing, in the words of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from daskml_dist.errors import NonFiniteData
from daskml_dist.labelled._blocks import Block
from daskml_dist.types import AnyArray


def lacking(values: AnyArray) -> AnyArray:
    """True where a value is missing: NaN, and None among objects."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "O":
        return np.asarray(pd.isna(values), dtype=bool)
    return np.zeros(values.shape, dtype=bool)


def complain(
    block: Block, names: Sequence[str], arrays: Sequence[AnyArray], places: Sequence[Sequence[int]]
) -> NoReturn:
    """Say where the first missing value of a block is.

    Parameters
    ----------
    block : which.
    names : of the arrays.
    arrays : the outer dims first, of length 1 where an array has none.
    places : which of the outer dims each array has.
    """
    for name, values, own in zip(names, arrays, places, strict=True):
        bad = lacking(values)
        if bad.any():
            first = np.argwhere(bad)[0][: len(block.spans)]
            raise NonFiniteData(
                f"Input {name} contains NaN.\n{name} lacks {int(bad.sum())} values in one block, the "
                "first at "
                f"{_place(block, own, first)}. Use missing='drop' to leave out samples of which a "
                "value is "
                "missing, or fill them, for instance with fillna or interpolate_na."
            )
    raise AssertionError("no value is missing")


def _place(block: Block, own: Sequence[int], first: Sequence[Any]) -> str:
    """The labels of a place, or its positions where there are none."""
    told = []
    for axis, (dim, (start, _)) in enumerate(block.spans.items()):
        if axis not in own:
            continue
        labels = block.labels.get(dim)
        at = int(first[axis])
        told.append(f"{dim}={start + at if labels is None else labels[at]}")
    return ", ".join(told)
