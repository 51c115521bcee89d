"""The encoded rows as lazy arrays: one task a piece reads, encodes and parts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import dask
import dask.array as da
import numpy as np
import pandas as pd
import xarray as xr

from daskml_dist.cli.encoding import Encoding
from daskml_dist.cli.heldout import HeldOut
from daskml_dist.cli.survey import Survey
from daskml_dist.files import Piece, Source, as_numbers, as_text, missing
from daskml_dist.types import AnyArray

CHUNK_BYTES = 32 << 20
"""Larger chunks of features are cut, so that one large file keeps all workers busy."""


@final
@dataclass(frozen=True)
class Rows:
    """Features X (n, p) with names; target, weight and exposure (n,), the last two may be None."""

    X: Any
    y: Any
    weight: Any = None
    exposure: Any = None


def labels_of(found: Survey, model: str) -> np.dtype[Any]:
    """The dtype of the target: text, bool, integer or floating, as it stands in the file."""
    kinds = found.target_kinds
    if model != "logistic":
        return np.dtype(np.float64)
    if "text" in kinds:
        longest = max(len(str(value)) for value in found.target.values or [""])
        return np.dtype(f"U{longest}")
    if kinds <= {"bool", "empty"}:
        return np.dtype(bool)
    return np.dtype(np.int64 if found.target.integral else np.float64)


def read_rows(
    piece: Piece,
    number: int,
    encoding: Encoding,
    rule: HeldOut,
    dtype: Any,
    held_out: bool,
    thin: float = 1.0,
) -> tuple[pd.DataFrame, AnyArray, AnyArray | None, AnyArray | None]:
    """Features, target, weight and exposure of the training rows of a piece, or of the held-out ones."""
    special = [name for name in (encoding.target, encoding.weight, encoding.exposure) if name is not None]
    names = list(dict.fromkeys([*special, *(column.name for column in encoding.columns)]))
    frame = piece.read(names, encoding.text)
    known = ~missing(frame[encoding.target])
    out = rule.draw(number, len(frame), thin if held_out else 1.0)
    frame = frame[known & out] if held_out else frame[known & ~out]
    y = frame[encoding.target]
    target = as_text(y).to_numpy(dtype=object) if np.dtype(dtype).kind == "U" else as_numbers(y)
    weight = None if encoding.weight is None else as_numbers(frame[encoding.weight])
    exposure = None if encoding.exposure is None else as_numbers(frame[encoding.exposure])
    # text of the held-out part may be longer, and its numbers less whole, than what was learned
    return encoding.features(frame), target if held_out else target.astype(dtype), weight, exposure


def training_rows(source: Source, found: Survey, encoding: Encoding, rule: HeldOut, dtype: Any) -> Rows:
    """The training rows as lazy arrays of known chunks; nothing is read."""
    learned, read = dask.delayed(encoding, traverse=False), dask.delayed(_arrays, pure=True)
    p, lengths = len(encoding.names), found.training
    parts = [
        read(dask.delayed(piece, traverse=False), number, learned, rule, dtype)
        for number, piece in enumerate(source.pieces)
        if lengths[number]
    ]
    lengths = [length for length in lengths if length]
    X = da.concatenate(
        [da.from_delayed(part[0], (n, p), dtype=np.float64) for part, n in zip(parts, lengths, strict=True)]
    )
    chunks = _cut(lengths, p)

    def column(position: int, kind: Any) -> Any:
        pieces = zip(parts, lengths, strict=True)
        return da.concatenate(
            [da.from_delayed(part[position], (n,), dtype=kind) for part, n in pieces]
        ).rechunk((chunks,))

    return Rows(
        X=xr.DataArray(X.rechunk((chunks, -1)), dims=("row", "feature"), coords={"feature": encoding.names}),
        y=column(1, dtype),
        weight=None if encoding.weight is None else column(2, np.float64),
        exposure=None if encoding.exposure is None else column(3, np.float64),
    )


def _arrays(piece: Piece, number: int, encoding: Encoding, rule: HeldOut, dtype: Any) -> tuple[Any, ...]:
    """What ``read_rows`` reads, as arrays."""
    features, *others = read_rows(piece, number, encoding, rule, dtype, held_out=False)
    return (np.ascontiguousarray(features.to_numpy()), *others)


def _cut(lengths: list[int], features: int) -> tuple[int, ...]:
    """Rows of each chunk: the pieces, long ones cut evenly; depends on the data alone."""
    most = max(CHUNK_BYTES // (8 * features), 1)
    chunks: list[int] = []
    for length in lengths:
        parts = -(-length // most)
        chunks += [length * (i + 1) // parts - length * i // parts for i in range(parts)]
    return tuple(chunks)
