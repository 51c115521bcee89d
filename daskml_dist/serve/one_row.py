"""One row by a model with one margin, the usual request: Python's numbers where NumPy's arrays cost more.

The bits, and the bytes of the answer, are those of the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
import orjson

from daskml_dist import edge
from daskml_dist.serve import tensors
from daskml_dist.types import FloatArray

_LONGEST = 8192  # features; the products of longer rows are summed in parts


@final
class OneRow:
    """Answers for a row of features; see ``one_row``.

    Parameters
    ----------
    model : with one margin.
    prefix : the members of the answer that never change, as JSON without the last brace.
    write : from a margin to the JSON of all outputs.
    """

    def __init__(self, model: edge.Model, prefix: bytes, write: Callable[[float], bytes]) -> None:
        self._dot = np.ascontiguousarray(model.coef[0]).dot
        self._intercept = float(model.intercept[0])
        self._write = write
        self._start = prefix + b',"outputs":'
        self._with_id = prefix + b',"id":'

    def margin(self, x: FloatArray) -> float:
        """Of (p,) finite features."""
        return float(self._dot(x)) + self._intercept

    def answer(self, identity: str | None, margin: float) -> bytes:
        """The body of an answer, from a finite margin."""
        if identity is None:
            return b"%b%b}" % (self._start, self._write(margin))
        return b'%b%b,"outputs":%b}' % (self._with_id, orjson.dumps(identity), self._write(margin))


def one_row(model: edge.Model, prefix: bytes) -> OneRow | None:
    """The short way for a model; None for one that has more than a margin, or a rare link."""
    if len(model.coef) != 1 or model.coef.shape[1] > _LONGEST:
        return None
    if model.task == "regression" and model.link in ("identity", "log"):
        return OneRow(model, prefix, _regression(model.link))
    if model.task == "classification" and model.link in ("logit", "decision"):
        return OneRow(model, prefix, _two_classes(model))
    return None


def _regression(link: str) -> Callable[[float], bytes]:
    text = b'[{"name":"prediction","datatype":"FP64","shape":[1],"data":[%b]}]'
    if link == "identity":
        return lambda z: text % orjson.dumps(z)
    return lambda z: text % orjson.dumps(float(np.exp(min(z, 709.78))))


def _two_classes(model: edge.Model) -> Callable[[float], bytes]:
    assert model.classes is not None
    datatype = tensors.datatype_of(model.classes).encode()
    head = b'[{"name":"prediction","datatype":"%b","shape":[1],"data":[%%b]}' % datatype
    first, second = (head % orjson.dumps(label) for label in model.classes.tolist())
    if model.link == "decision":
        first, second = first + b"]", second + b"]"
        return lambda z: second if z > 0.0 else first
    chances = b',{"name":"probability","datatype":"FP64","shape":[1,2],"data":[%b,%b]}]'

    def write(z: float) -> bytes:
        below, above = np.exp(np.array((min(z, 709.0), min(-z, 709.0)))).tolist()
        chance = orjson.dumps(1.0 / (1.0 + below)), orjson.dumps(1.0 / (1.0 + above))
        return (second if z > 0.0 else first) + chances % chance

    return write
