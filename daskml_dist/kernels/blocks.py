"""Row blocks that stay in the cache while everything is done with them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import issparse

from daskml_dist.types import AnyArray, FloatArray

_BLOCK_BYTES = 1 << 20


def block_rows(n_features: int) -> int:
    """Rows of a block: a function of p alone, so that the bits do not depend on the machine's cache."""
    return int(np.clip(_BLOCK_BYTES // (8 * max(n_features, 1)), 64, 8192))


def row_blocks(X: AnyArray, at_least: int = 1) -> Iterator[tuple[slice, FloatArray]]:
    """Slices of rows, and those rows of X as aligned C-ordered float64.

    ``at_least`` asks for taller blocks, where products of p x p matrices outweigh the reading.

    Blocks of sparse rows are made dense one at a time, for what cannot be done with sparse ones.

    Arrays that came over the network are not aligned; NumPy then leaves BLAS, which is slow and
    changes the last bits.
    """
    rows = max(block_rows(X.shape[1]), at_least)
    sparse = issparse(X)
    ready = not sparse and X.dtype == np.float64 and X.flags.c_contiguous and X.flags.aligned
    for start in range(0, X.shape[0], rows):
        where = slice(start, start + rows)
        x = X[where].toarray() if sparse else X[where]  # type: ignore[attr-defined]
        yield where, x if ready else np.require(x, dtype=np.float64, requirements=["C", "A"])


def aligned_pieces(X: AnyArray, multiple: int) -> Iterator[tuple[slice, AnyArray]]:
    """X whole where it is aligned, C-ordered float32 or float64; otherwise copies of a few rows.

    All copies but the last one have a multiple of ``multiple`` rows.
    """
    dtype = X.dtype if X.dtype == np.float32 else np.dtype(np.float64)
    if X.dtype == dtype and X.flags.c_contiguous and X.flags.aligned:
        yield slice(0, X.shape[0]), X
        return
    rows = max(block_rows(X.shape[1]) // multiple, 1) * multiple
    for start in range(0, X.shape[0], rows):
        where = slice(start, start + rows)
        yield where, np.require(X[where], dtype=dtype, requirements=["C", "A"])
