"""How many rows of each chunk and class go into each fold: in order, or drawn at random."""

from __future__ import annotations

import numpy as np

from daskml_dist.splits._base import IntArray

_URN = 10**9  # rows; NumPy draws from no larger urn


def in_order(per_chunk: IntArray, sizes: IntArray) -> IntArray:
    """(chunks, k, F) counts when the first rows of a class go into the first fold, and so on.

    Parameters
    ----------
    per_chunk : (chunks, k) rows of each class in each chunk.
    sizes : (k, F) rows of each class in each fold.
    """
    before = np.zeros((1, per_chunk.shape[1]), dtype=np.int64)
    reached = np.concatenate([before, per_chunk.cumsum(axis=0)])  # (chunks + 1, k)
    # of the first r rows of a class, min(r, c) are in folds that end at row c of the class
    placed = np.minimum(reached[:, :, None], sizes.cumsum(axis=1))  # (chunks + 1, k, F)
    return np.asarray(np.diff(np.diff(placed, axis=0), axis=2, prepend=0))


def at_random(per_chunk: IntArray, sizes: IntArray, seed: int) -> IntArray:
    """(chunks, k, F) counts when the rows of a class are put into folds of these sizes at random.

    Each chunk draws the folds of its rows from an urn without putting them back, which gives the
    counts of a random permutation of all rows: a multivariate hypergeometric variable a chunk.
    """
    rng = np.random.Generator(np.random.SFC64([seed]))
    counts = np.zeros((*per_chunk.shape, sizes.shape[1]), dtype=np.int64)
    for k, left in enumerate(sizes.copy()):
        for chunk in np.flatnonzero(per_chunk[:, k]):
            counts[chunk, k] = _draw(rng, left, int(per_chunk[chunk, k]))
            left -= counts[chunk, k]
    return counts


def _draw(rng: np.random.Generator, left: IntArray, n: int) -> IntArray:
    """(F,) the folds of n rows, out of an urn that holds each fold as often as it has places left."""
    total = int(left.sum())
    if total < _URN:
        return rng.multivariate_hypergeometric(left, n)
    share = left * (n / total)  # of so many, what is expected, rounded
    drawn = np.floor(share).astype(np.int64)
    rest = np.argsort(drawn - share, kind="stable")[: n - int(drawn.sum())]
    drawn[rest] += 1
    return np.asarray(drawn)
