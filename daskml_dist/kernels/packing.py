"""Symmetric matrices as their lower triangle, so that half the bytes travel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from daskml_dist.types import FloatArray


def pack(symmetric: FloatArray) -> FloatArray:
    """(q (q + 1) / 2,) the lower triangle of a (q, q) matrix."""
    return np.asarray(symmetric[_lower(symmetric.shape[0])])


def unpack(packed: FloatArray) -> FloatArray:
    """The (q, q) symmetric matrix of a packed lower triangle."""
    q = int(np.sqrt(2 * packed.size))
    symmetric = np.empty((q, q))
    rows, columns = _lower(q)
    symmetric[rows, columns] = packed
    symmetric[columns, rows] = packed
    return symmetric


@lru_cache(maxsize=8)
def _lower(q: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.tril_indices(q)
