"""The usual requests, read quickly: features in one tensor ``x``, or one row with a tensor for each column.

What is unusual in any way, right or wrong, is left to ``inference.read``, which says what is wrong with it.
"""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple, final

import numpy as np

from daskml_dist import edge
from daskml_dist.security import Limits
from daskml_dist.types import FloatArray

ENCODED = "x"
_IDENTITY = (str, type(None))
_NUMBERS = (float, int)


class _Place(NamedTuple):
    """Where the value of a column goes.

    Attributes
    ----------
    at : index of its feature, of numbers.
    levels : indices of the features of texts; None of numbers.
    missing : what null stands for; None where it is refused.
    """

    at: int
    levels: dict[str, int] | None
    missing: float | str | None


@final
class PlainRequests:
    """Reads the usual requests to a model.

    Parameters
    ----------
    columns, width : of the model, and how many features they become.
    limits : of a request.
    """

    def __init__(self, columns: tuple[edge.Column, ...], width: int, limits: Limits) -> None:
        self._width, self._rows = width, limits.rows
        self._places = _places(columns)
        self._encoded = ENCODED not in self._places

    def read(self, document: dict[str, Any], body: bytes) -> tuple[str | None, FloatArray] | None:
        """The id and the (n, width) finite features; None for every other request.

        Parameters
        ----------
        document, body : the parsed JSON and its text.
        """
        try:
            inputs = document["inputs"]
            identity = document["id"] if len(document) == 2 else None
            if (
                body.count(b":") != len(document) + 4 * len(inputs)  # no name twice
                or len(document) > 2
                or type(identity) not in _IDENTITY
            ):
                return None
            first = inputs[0]
            if self._encoded and first["name"] == ENCODED and len(inputs) == 1:
                X = self._tensor(first, body)
            else:
                X = self._row(inputs)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError):
            return None
        return None if X is None else (identity, X)

    def _tensor(self, tensor: dict[str, Any], body: bytes) -> FloatArray | None:
        """Rows of features."""
        n, p = tensor["shape"]
        if (
            len(tensor) != 4
            or tensor["datatype"] != "FP64"
            or not (type(n) is int and type(p) is int)
            or b"true" in body  # which array() takes for numbers
            or b"false" in body
        ):
            return None
        numbers = array("d", tensor["data"])
        if p != self._width or not 0 < n <= self._rows or len(numbers) != n * p:
            return None
        return np.frombuffer(numbers).reshape(n, p)

    def _row(self, inputs: list[dict[str, Any]]) -> FloatArray | None:
        """One row of raw columns."""
        row = [0.0] * self._width
        seen = set()
        for tensor in inputs:
            name, data = tensor["name"], tensor["data"]
            (size, *rest), (value,) = tensor["shape"], data
            at, levels, missing = self._places[name]
            if value is None:
                value = missing
            if len(tensor) != 4 or type(data) is not list or type(size) is not int or size != 1 or rest:
                return None
            if levels is None:
                if type(value) not in _NUMBERS or tensor["datatype"] != "FP64":
                    return None
                row[at] = float(value)
            else:
                if type(value) is not str or tensor["datatype"] != "BYTES":
                    return None
                if (level := levels.get(value)) is not None:
                    row[level] = 1.0
            seen.add(name)
        return np.array([row]) if len(seen) == len(inputs) == len(self._places) else None


def _places(columns: tuple[edge.Column, ...]) -> dict[str, _Place]:
    places, at = {}, 0
    for column in columns:
        if column.kind == "number":
            places[column.name] = _Place(at, None, column.mean)
        else:
            levels = {level: at + i for i, level in enumerate(column.levels)}
            places[column.name] = _Place(at, levels, column.fill)
        at += len(column.outputs)
    return places
