"""Arrays of a model: numbers as tensors in safetensors, text and objects as JSON; dtypes come back."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
from safetensors.numpy import load, save

from daskml_dist.storage._values import Json, decode, encode, unsupported
from daskml_dist.types import AnyArray

_TENSOR_KINDS = "biufcMm"


@final
class ArrayWriter:
    """Collects arrays; `keep` returns the JSON that stands for one."""

    def __init__(self) -> None:
        self._tensors: dict[str, AnyArray] = {}

    def keep(self, where: str, array: AnyArray) -> Json:
        """Store an array under its name and describe it; TypeError where its dtype has no safe form."""
        if type(array) not in (np.ndarray, np.memmap):  # a mask or a matrix would silently get lost
            raise unsupported(array, where)
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        facts: dict[str, Json] = {"dtype": array.dtype.str, "order": "F" if fortran else "C"}
        if array.dtype.kind in "UO":
            facts["shape"] = list(array.shape)
            facts["values"] = [
                encode(v, f"{where}[{i}]", self.keep) for i, v in enumerate(array.ravel().tolist())
            ]
            return facts
        if array.dtype.kind not in _TENSOR_KINDS or array.dtype.char in "gG":
            raise unsupported(array, where)
        facts["tensor"] = self._free_name(where)
        self._tensors[str(facts["tensor"])] = _as_tensor(array)
        return facts

    def keep_once(self, name: str, array: AnyArray) -> str:
        """Store numbers under this name, unless the same bytes are there; the name of their tensor."""
        for known, tensor in self._tensors.items():
            if (
                tensor.dtype == array.dtype
                and tensor.size == array.size
                and np.array_equal(tensor.ravel(), array.ravel())
            ):
                return known
        self._tensors[name] = _as_tensor(array)
        return name

    def to_bytes(self) -> bytes:
        """All tensors as one safetensors file."""
        return bytes(save(self._tensors))

    def _free_name(self, where: str) -> str:
        # a dict key with a dot may spell the same name twice
        return where if where not in self._tensors else f"{where}#{len(self._tensors)}"


@final
class ArrayReader:
    """Reads what an ArrayWriter stored."""

    def __init__(self, data: bytes) -> None:
        self._tensors: dict[str, AnyArray] = load(data)

    def fetch(self, facts: Any) -> AnyArray:
        """The array that this JSON stands for; ValueError or KeyError where it stands for none."""
        dtype, order = np.dtype(str(facts["dtype"])), facts["order"]
        if order not in ("C", "F"):
            raise ValueError(f"memory order {order!r}")
        if dtype.kind in "UO":
            return self._from_values(facts, dtype, order)
        if dtype.kind not in _TENSOR_KINDS:
            raise ValueError(f"a tensor of dtype {dtype}")
        tensor = self._tensors[facts["tensor"]]
        if tensor.dtype != _stored_dtype(dtype):
            raise ValueError(f"a tensor of dtype {tensor.dtype} stands for {dtype}")
        # the copy is aligned and writable, which a view of the file's bytes is not
        own = np.array(tensor, order="C", copy=True)
        if dtype.kind == "c":
            own = own.view(dtype.newbyteorder("=")).reshape(tensor.shape[:-1])
        elif dtype.kind in "Mm":
            own = own.view(dtype.newbyteorder("="))
        return np.asarray(own, dtype=dtype, order=order)

    def _from_values(self, facts: Any, dtype: np.dtype[Any], order: str) -> AnyArray:
        shape = tuple(int(length) for length in facts["shape"])
        values = [decode(value, self.fetch) for value in facts["values"]]
        large = len(values) * dtype.itemsize > 1 << 30  # a width that no text has
        if large or len(values) != math.prod(shape) or min(shape, default=0) < 0:
            raise ValueError(f"{len(values)} values for the shape {shape}")
        flat = np.empty(len(values), dtype=dtype)
        for i, value in enumerate(values):  # one by one: a list would otherwise be taken for an axis
            flat[i] = value
        return np.asarray(flat.reshape(shape), order="F" if order == "F" else "C")


def _stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The native dtype in which a tensor lies in the file."""
    if dtype.kind == "c":
        return np.dtype(f"f{dtype.itemsize // 2}")
    return np.dtype(np.int64) if dtype.kind in "Mm" else dtype.newbyteorder("=")


def _as_tensor(array: AnyArray) -> AnyArray:
    """C-contiguous, native; complex numbers as a last axis of 2, dates as int64: what safetensors knows."""
    # np.array keeps zero dimensions, np.ascontiguousarray would not; safetensors misreads strided arrays
    own: AnyArray = np.array(array, dtype=array.dtype.newbyteorder("="), order="C", copy=True)
    if array.dtype.kind == "c":
        return own.reshape((*own.shape, 1)).view(_stored_dtype(array.dtype))
    return own.view(np.int64) if array.dtype.kind in "Mm" else own
