"""Saying what is wrong with a chunk: rows that do not match, NaN and infinity, and where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from daskml_dist.errors import ChunkMismatch, NonFiniteData
from daskml_dist.types import AnyArray, Chunk


def check_rows(chunk: Chunk) -> int:
    """The number of rows of the chunk, the same in all of its columns."""
    rows = {name: part.shape[0] for name, part in chunk.columns.items()}
    if len(set(rows.values())) > 1:
        given = ", ".join(f"{name} has {count}" for name, count in rows.items())
        raise ChunkMismatch(
            f"Rows differ in chunk {chunk.id}: {given}. Each chunk must have the same rows in all of "
            "them; build them from one frame, or call compute_chunk_sizes() so that they can be aligned."
        )
    return int(next(iter(rows.values())))


def refuse_non_finite(chunk: Chunk) -> None:
    """Raise NonFiniteData where the chunk holds NaN or infinity; else return (an overflow, then)."""
    for name, part in chunk.columns.items():
        if part.dtype.kind == "f":
            values = part.data if issparse(part) else part
            bad = ~np.isfinite(values)
            if bad.any():
                raise NonFiniteData(_describe(name, part, np.asarray(values), bad, chunk.id))


def place_of(rows: Any, entry: int) -> AnyArray:
    """(2,) row and column of a stored entry of a csr_array."""
    row = int(np.searchsorted(rows.indptr, entry, side="right")) - 1
    return np.array([row, int(rows.indices[entry])])


def refuse_missing(name: str, labels: AnyArray, chunk_id: int) -> None:
    """Raise NonFiniteData where labels or groups are missing."""
    if labels.dtype.kind == "f":
        bad = ~np.isfinite(labels)
    elif labels.dtype.kind == "O":
        bad = np.array([label is None or label != label for label in labels.tolist()], dtype=np.bool_)
    elif labels.dtype.kind in "mM":
        bad = np.isnat(labels)
    else:
        return
    if bad.any():
        what = "infinity" if labels.dtype.kind == "f" and not np.isnan(labels[bad][0]) else "NaN"
        raise NonFiniteData(
            f"Input {name} contains {what}: {int(bad.sum())} missing value(s) in chunk {chunk_id}, the first "
            f"in row {int(bad.argmax())} of the chunk. Drop these rows first, or give them a value."
        )


def _describe(name: str, part: Any, values: AnyArray, bad: AnyArray, chunk_id: int) -> str:
    first = np.argwhere(bad)[0]
    what = "NaN" if np.isnan(values[tuple(first)]) else "infinity"
    if issparse(part):
        first = place_of(part, int(first[0]))
    column = f", column {first[1]}" if part.ndim == 2 else ""
    return (
        f"Input {name} contains {what}: {int(bad.sum())} value(s) that are not finite in chunk {chunk_id}, "
        f"the first in row {first[0]} of the chunk{column}. Impute or drop these rows."
    )
