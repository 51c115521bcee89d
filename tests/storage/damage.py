"""Ways to harm bytes, and arrays worth storing."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from daskml_dist.types import AnyArray


def flips(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """The bytes with one random bit flipped, many times."""
    dice = random.Random(seed)
    for _ in range(count):
        harmed = bytearray(data)
        harmed[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        yield bytes(harmed)


def truncations(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """The bytes cut off at a random place, many times; nothing and all but one byte among them."""
    dice = random.Random(seed)
    yield b""
    yield data[:-1]
    for _ in range(count - 2):
        yield data[: dice.randrange(len(data))]


def numeric_arrays() -> dict[str, AnyArray]:
    """Every numeric dtype, and the shapes and memory orders that are easily lost."""
    dice = np.random.default_rng(0)
    arrays: dict[str, AnyArray] = {
        f"dtype {name}": dice.integers(0, 2, (2, 3)).astype(name)
        for name in "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()
        + ["complex64", "complex128", ">f8", ">i4", ">c16", "datetime64[D]", "timedelta64[ns]"]
    }
    grid = dice.normal(size=(4, 6))
    return arrays | {
        "zero dimensions": np.array(1.5),
        "zero dimensions complex": np.array(1.5 + 2j),
        "empty": np.empty(0),
        "empty column": np.empty((3, 0, 2), dtype=np.float32),
        "fortran": np.asfortranarray(grid),
        "fortran complex": np.asfortranarray(grid + 1j),
        "strided": grid[::2, ::3],
        "reversed": grid[::-1],
        "broadcast": np.broadcast_to(grid[0], (5, 6)),
        "special": np.array([np.inf, -np.inf, np.nan, -0.0, 5e-324]),
        "not a time": np.array(["2020-01-01", "NaT"], dtype="datetime64[s]"),
    }


def text_arrays() -> dict[str, AnyArray]:
    """Fixed-width text."""
    return {
        "text": np.array(["setosa", "virginica", ""], dtype="<U9"),
        "wide text": np.array([["a", "ä"], ["雪", "\U0001f600"]], dtype="<U6"),
        "no text": np.empty(0, dtype="<U3"),
        "one text": np.array("alone"),
    }


def assert_same(found: AnyArray, given: AnyArray) -> None:
    """Equal in dtype, shape, every bit and memory order, and fit for use."""
    assert type(found) is np.ndarray
    assert found.dtype == given.dtype and found.dtype.str == given.dtype.str
    assert found.shape == given.shape
    if given.dtype.hasobject:
        assert found.tolist() == given.tolist()
    else:
        assert found.tobytes() == given.tobytes()
    assert found.flags.writeable and found.flags.aligned
    if given.flags.f_contiguous:
        assert found.flags.f_contiguous
