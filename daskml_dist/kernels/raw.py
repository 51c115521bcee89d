"""Raw columns of a chunk, as labels or as numbers: nothing missing, nothing mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from daskml_dist.errors import InvalidData
from daskml_dist.kernels.refusal import refuse_missing, refuse_non_finite
from daskml_dist.types import AnyArray, Chunk

Label = int | str

_PEELED = 8  # labels that are looked for one by one before all of them are sorted


def label_column(y: AnyArray | None, name: str, chunk_id: int) -> AnyArray:
    """The labels of a chunk, none of them missing; ``name`` is "X" or "y", for messages."""
    assert y is not None
    if y.ndim != 1:
        raise InvalidData(f"{name} should be a 1d array of labels, got an array of shape {y.shape} instead.")
    if y.dtype.kind == "f":
        _refuse_non_finite(y, name, chunk_id)
        if not np.array_equal(y, np.floor(y)):
            raise InvalidData(
                f"Unknown label type: continuous. A classifier expects classes, and {name} holds fractions "
                f"such as {float(y[y != np.floor(y)][0])!r} (chunk {chunk_id}). Maybe you want a regressor."
            )
    if y.dtype.kind == "O":
        refuse_missing(name, y, chunk_id)
        labels = y.tolist()
        types = {type(label) for label in labels}
        if types & {str, bytes} and not all(isinstance(label, str) for label in labels):
            raise InvalidData(
                f"Unknown label type: strings and other objects are mixed in chunk {chunk_id} of {name}. "
                f"Convert {name} to one type, for example {name}.astype(str)."
            )
    return y


def number_column(y: AnyArray | None, name: str, chunk_id: int) -> AnyArray:
    """The numbers of a chunk as float64, all finite; ``name`` is "X" or "y", for messages."""
    assert y is not None
    if y.dtype.kind in "OUS":
        try:
            y = y.astype(np.float64)
        except (TypeError, ValueError) as cause:
            raise InvalidData(
                f"{name} is not numeric in chunk {chunk_id} (dtype {y.dtype}); a regressor expects numbers."
            ) from cause
    y = y.astype(np.float64, copy=False)
    _refuse_non_finite(y, name, chunk_id)
    return y


def coded(y: AnyArray, name: str) -> tuple[list[Label], NDArray[np.intp]]:
    """The different labels of a column as plain integers or strings, and which one each row has."""
    few = peeled(y)
    if few is None:
        labels, codes = np.unique(y, return_inverse=True)
        return [_plain(label, name) for label in labels], codes
    codes = np.empty(y.shape[0], dtype=np.intp)
    for code, (_, where) in enumerate(few):
        codes[where] = code
    return [_plain(label, name) for label, _ in few], codes


def peeled(y: AnyArray) -> list[tuple[Any, AnyArray]] | None:
    """Each label of y with the mask of its rows, in order of appearance; None where labels are not few."""
    found: list[tuple[Any, AnyArray]] = []
    rest = np.ones(y.shape[0], dtype=bool)
    while rest.any():
        if len(found) == _PEELED:
            return None
        label = y[np.argmax(rest)]
        where = np.asarray(y == label)
        rest &= ~where
        found.append((label.item() if isinstance(label, np.generic) else label, where))
    return found


def _plain(label: object, name: str) -> Label:
    """1, 1.0 and True are one label, as they are for NumPy; a string is another."""
    if isinstance(label, str):
        return str(label)
    if isinstance(label, (bool, int, float, np.bool_, np.integer, np.floating)) and label == int(label):
        return int(label)
    raise InvalidData(
        f"Unknown label type: {name} holds {label!r} ({type(label).__name__}). Labels are strings, "
        "integers or booleans."
    )


def _refuse_non_finite(values: AnyArray, name: str, chunk_id: int) -> None:
    refuse_non_finite(Chunk(chunk_id, values) if name == "X" else Chunk(chunk_id, None, values))
