"""Tensors of the Open Inference Protocol: from JSON and bytes to arrays and back.

A shape is believed only after its product was compared with what came; nothing is allocated before.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from daskml_dist.serve.refusals import Refused
from daskml_dist.types import AnyArray

NUMBERS: dict[str, np.dtype[Any]] = {
    "FP64": np.dtype("<f8"),
    "FP32": np.dtype("<f4"),
    "FP16": np.dtype("<f2"),
    "INT64": np.dtype("<i8"),
    "INT32": np.dtype("<i4"),
    "INT16": np.dtype("<i2"),
    "INT8": np.dtype("<i1"),
    "UINT64": np.dtype("<u8"),
    "UINT32": np.dtype("<u4"),
    "UINT16": np.dtype("<u2"),
    "UINT8": np.dtype("<u1"),
}
DATATYPES = frozenset({*NUMBERS, "BYTES"})
_DATATYPES = {dtype.char: name for name, dtype in NUMBERS.items()} | {"?": "BOOL", "U": "BYTES", "O": "BYTES"}
_DATATYPES |= {"q": "INT64", "Q": "UINT64"}  # l and q are the same
_FEW = 64  # elements that Python writes as fast as NumPy
_WHOLE = frozenset(name for name in NUMBERS if "INT" in name)
_FLOATS = ({float}, {int}, {int, float})
_GAPS = frozenset({int, float, type(None)})


def size_of(shape: Any, name: str, most_rows: int) -> int:
    """Elements of a tensor of that shape.

    Raises
    ------
    Refused
        400 where it is no list of one or two whole numbers, 422 without a row, 413 with more than
        ``most_rows``.
    """
    if type(shape) is not list or not 1 <= len(shape) <= 2 or any(type(n) is not int or n < 0 for n in shape):
        raise Refused(400, f"input {name}: the shape must be [rows] or [rows, columns]", "shape")
    if shape[0] == 0:
        raise Refused(422, f"input {name}: no rows", "shape")
    if shape[0] > most_rows:
        raise Refused(413, f"input {name}: {shape[0]} rows, at most {most_rows} in a request", "rows")
    return math.prod(shape)


def numbers_from_json(data: Any, datatype: str, shape: list[int], size: int, name: str) -> AnyArray:
    """Numbers in JSON as float64 of ``size`` elements; null becomes NaN.

    Parameters
    ----------
    data : flat, or one list a row.

    Raises
    ------
    Refused
        400 where it is not of that shape, 422 where an element is no number or does not fit the datatype.
    """
    flat = _flat(data, shape, size, name)
    kinds = set(map(type, flat))
    if datatype in _WHOLE:
        return _whole(flat, kinds, datatype, name)
    if kinds in _FLOATS:
        values = np.array(flat, dtype=np.float64)
    elif kinds <= _GAPS:
        values = np.array([math.nan if value is None else value for value in flat], dtype=np.float64)
    else:
        raise Refused(422, f"{name}: numbers were expected ({datatype})", "dtype", name)
    if datatype == "FP64":
        return values
    given = values.astype(NUMBERS[datatype]).astype(np.float64)
    if np.isinf(given).any():
        raise Refused(422, f"{name}: a number is too large for {datatype}", "range", name)
    return given


def texts_from_json(data: Any, shape: list[int], size: int, name: str) -> list[str | None]:
    """Texts in JSON; null is missing."""
    flat = _flat(data, shape, size, name)
    if not set(map(type, flat)) <= {str, type(None)}:
        raise Refused(422, f"{name}: text was expected (BYTES)", "dtype", name)
    return flat


def numbers_from_bytes(data: memoryview, datatype: str, size: int, name: str) -> AnyArray:
    """Little-endian numbers as float64; a copy only where the datatype is another."""
    dtype = NUMBERS[datatype]
    if len(data) != size * dtype.itemsize:
        raise Refused(
            400, f"input {name}: {len(data)} bytes for {size} elements of {dtype.itemsize} bytes", "shape"
        )
    return np.frombuffer(data, dtype=dtype).astype(np.float64, copy=False)


def texts_from_bytes(data: memoryview, size: int, name: str) -> list[str | None]:
    """Texts in UTF-8, each after its length as a little-endian uint32."""
    texts: list[str | None] = []
    at, end = 0, len(data)
    if size * 4 > end:
        raise Refused(400, f"input {name}: {end} bytes cannot hold {size} texts", "shape")
    while at + 4 <= end and len(texts) < size:
        length = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if length > end - at:
            break
        try:
            texts.append(str(data[at : at + length], "utf-8"))
        except UnicodeDecodeError:
            raise Refused(422, f"{name}: a text is not UTF-8", "dtype", name) from None
        at += length
    if at != end or len(texts) != size:
        raise Refused(400, f"input {name}: the bytes are not {size} texts with their lengths", "shape")
    return texts


def datatype_of(values: AnyArray) -> str:
    """The protocol's name for what an array holds."""
    return _DATATYPES[values.dtype.char]


def to_json(values: AnyArray) -> Any:
    """What `orjson` writes as a flat list."""
    flat = values.reshape(-1)
    return flat.tolist() if flat.size <= _FEW or flat.dtype.kind in "UO" else flat


def to_bytes(array: AnyArray) -> bytes:
    """The binary form of the protocol."""
    if array.dtype.kind in "UO":
        texts = [str(text).encode() for text in array.reshape(-1)]
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _flat(data: Any, shape: list[int], size: int, name: str) -> list[Any]:
    if type(data) is not list:
        raise Refused(400, f"input {name}: data must be a list", "shape")
    if len(shape) == 2 and data and type(data[0]) is list:
        if len(data) != shape[0] or any(type(row) is not list or len(row) != shape[1] for row in data):
            raise Refused(400, f"input {name}: data are not of shape {shape}", "shape")
        data = [value for row in data for value in row]
    if len(data) != size:
        raise Refused(400, f"input {name}: {len(data)} elements, and shape {shape} has {size}", "shape")
    return list(data)


def _whole(flat: list[Any], kinds: set[type], datatype: str, name: str) -> AnyArray:
    if kinds != {int}:
        raise Refused(422, f"{name}: whole numbers were expected ({datatype})", "dtype", name)
    limits = np.iinfo(NUMBERS[datatype])
    if min(flat) < limits.min or max(flat) > limits.max:
        raise Refused(422, f"{name}: a number does not fit {datatype}", "range", name)
    return np.array(flat, dtype=np.float64)
