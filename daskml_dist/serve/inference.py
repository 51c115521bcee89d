"""One inference: the request of the Open Inference Protocol v2 read, the model asked, the answer written.

Two shapes of a request are known: one tensor ``x`` of shape [rows, features] with the encoded features, or
one tensor for each column of the model, by its name. What is not known is refused, never ignored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import orjson

from daskml_dist.security import Limits
from daskml_dist.serve import strict_json, tensors
from daskml_dist.serve.plain_requests import ENCODED
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.served import Served
from daskml_dist.types import AnyArray, FloatArray

CONTRIBUTION = "contribution"
_REQUEST = frozenset({"id", "inputs", "outputs", "parameters"})
_TENSOR = frozenset({"name", "shape", "datatype", "data", "parameters"})
_NOTHING: dict[str, Any] = {}


@final
@dataclass(slots=True)
class Asked:
    """A request, read but not yet understood by a model.

    Attributes
    ----------
    id : as given, echoed in the answer; None without one.
    inputs : name -> (shape, numbers of all elements as float64, or texts).
    outputs : names in the order they are wanted; None for all.
    binary : names of outputs that are wanted as bytes.
    all_binary : whether outputs that were not named are wanted as bytes.
    explain : whether contributions are wanted.
    """

    id: str | None
    inputs: dict[str, tuple[list[int], Any]]
    outputs: list[str] | None = None
    binary: set[str] = field(default_factory=set)
    all_binary: bool = False
    explain: bool = False


def read(
    body: bytes, header_length: int | None, limits: Limits, document: dict[str, Any] | None = None
) -> Asked:
    """Read a body.

    Parameters
    ----------
    body : JSON, or JSON and then binary tensors.
    header_length : bytes of the JSON where binary tensors follow, else None.
    document : the JSON, where it was parsed before.

    Raises
    ------
    Refused
        With a status of 400, 413 or 422.
    """
    if header_length is None:
        document, rest = strict_json.parse(body) if document is None else document, memoryview(b"")
        strict_json.check_names(document, body)
    else:
        if header_length > min(len(body), limits.json_bytes):
            raise Refused(400, "Inference-Header-Content-Length is beyond the body or its limit", "json")
        document, rest = strict_json.loads(body[:header_length]), memoryview(body)[header_length:]
    _refuse_unknown(document, _REQUEST, "the request")
    identity = document.get("id")
    if identity is not None and type(identity) is not str:
        raise Refused(400, "id must be text", "json")
    asked = Asked(identity, _read_inputs(document.get("inputs"), rest, limits))
    if "parameters" in document:
        given = _parameters(document, "the request", {"explain": bool, "binary_data_output": bool})
        asked.explain = given.get("explain", False)
        asked.all_binary = given.get("binary_data_output", False)
    if document.get("outputs") is not None:
        _read_outputs(document["outputs"], asked)
    return asked


def features(model: Served, asked: Asked) -> FloatArray:
    """(n, p) encoded features.

    Raises
    ------
    Refused
        422 where columns are missing, unknown, of another length or kind; the message names the column.
    """
    encoded = asked.inputs.get(ENCODED)
    if encoded is not None and len(asked.inputs) == 1 and ENCODED not in model.column_names:
        shape, values = encoded
        p = len(model.features)
        if len(shape) != 2 or shape[1] != p or isinstance(values, list):
            raise Refused(422, f"input x must be numbers of shape [rows, {p}]", "shape", ENCODED)
        X: FloatArray = values.reshape(shape)
        if not np.isfinite(X).all():
            column = model.features[int(np.argmin(np.isfinite(X).all(axis=0)))]
            raise Refused(422, f"{column}: not finite", "finite", column)
        return X
    rows = {shape[0] for shape, _ in asked.inputs.values()}
    if len(rows) != 1 or any(len(shape) == 2 and shape[1] != 1 for shape, _ in asked.inputs.values()):
        raise Refused(
            422,
            f"give one input x of shape [rows, {len(model.features)}], or one for each column, of shape "
            "[rows] or [rows, 1] with the same number of rows",
            "shape",
        )
    return model.encode({name: values for name, (_, values) in asked.inputs.items()})


def answer(
    model: Served, wanted: list[str] | None, explain: bool, X: FloatArray, answers: dict[str, AnyArray]
) -> dict[str, AnyArray]:
    """The outputs that were asked for, by name.

    Parameters
    ----------
    wanted : names of outputs; None for all.
    explain : whether contributions are wanted besides.
    X : (n, p) features. answers : all outputs for them.

    Raises
    ------
    Refused
        400 for an output that the model has not, 422 where a prediction is not finite.
    """
    if wanted is None:
        outputs = answers if not explain else dict(answers)
    else:
        outputs = {name: answers[name] for name in wanted if name in answers}
    for name, values in outputs.items():
        if values.dtype.kind == "f" and not _finite(values):
            raise Refused(422, f"the {name} of a row is not finite: its columns are too large", "finite")
    if explain or (wanted is not None and CONTRIBUTION in wanted):
        outputs[CONTRIBUTION] = model.contributions(X)
    if wanted is not None and (unknown := [name for name in wanted if name not in outputs]):
        raise Refused(
            400, f"no output {_short(unknown[0])}; this model has {', '.join(model.outputs)}", "output"
        )
    return outputs


def write(prefix: bytes, asked: Asked, outputs: dict[str, AnyArray]) -> tuple[bytes, int | None]:
    """The body of an answer, and the length of its JSON where binary tensors follow.

    Parameters
    ----------
    prefix : the members of the answer that never change, as JSON without the last brace.
    """
    described, blobs = [], []
    for name, values in outputs.items():
        tensor: dict[str, Any] = {
            "name": name,
            "datatype": tensors.datatype_of(values),
            "shape": values.shape,
        }
        if name in asked.binary or (asked.all_binary and asked.outputs is None):
            blobs.append(tensors.to_bytes(values))
            tensor["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            tensor["data"] = tensors.to_json(values)
        described.append(tensor)
    text = _document(prefix, asked.id, described)
    return (text + b"".join(blobs), len(text)) if blobs else (text, None)


def write_plain(prefix: bytes, identity: str | None, outputs: dict[str, AnyArray]) -> bytes:
    """The body of an answer to a plain request."""
    described = [
        {
            "name": name,
            "datatype": tensors.datatype_of(values),
            "shape": values.shape,
            "data": tensors.to_json(values),
        }
        for name, values in outputs.items()
    ]
    return _document(prefix, identity, described)


def _document(prefix: bytes, identity: str | None, described: list[dict[str, Any]]) -> bytes:
    rest = {"outputs": described} if identity is None else {"id": identity, "outputs": described}
    return prefix + b"," + orjson.dumps(rest, option=orjson.OPT_SERIALIZE_NUMPY)[1:]


def _finite(values: FloatArray) -> bool:
    return math.isfinite(values.item()) if values.size == 1 else bool(np.isfinite(values).all())


def _read_inputs(given: Any, rest: memoryview, limits: Limits) -> dict[str, tuple[list[int], Any]]:
    if type(given) is not list or not given:
        raise Refused(400, "inputs must be a list of one tensor or more", "json")
    inputs: dict[str, tuple[list[int], Any]] = {}
    at = 0
    for tensor in given:
        if type(tensor) is not dict or not tensor.keys() <= _TENSOR or type(tensor.get("name")) is not str:
            raise Refused(
                400, "an input has name, shape, datatype and data or parameters, nothing else", "json"
            )
        name, datatype = tensor["name"], tensor.get("datatype")
        if name in inputs:
            raise Refused(400, "two inputs have the same name", "json")
        if type(datatype) is not str or datatype not in tensors.DATATYPES:
            raise Refused(
                422, f"{_short(name)}: datatype must be one of BYTES, {', '.join(tensors.NUMBERS)}", "dtype"
            )
        size = tensors.size_of(tensor.get("shape"), _short(name), limits.rows)
        held = _bytes_of(tensor, len(rest) - at)
        if held is None:
            values = _from_json(tensor, datatype, size)
        else:
            values = _from_bytes(rest[at : at + held], datatype, size, _short(name))
            at += held
        inputs[name] = tensor["shape"], values
    if at != len(rest):
        raise Refused(400, f"{len(rest) - at} bytes after the last input", "shape")
    return inputs


def _from_json(tensor: dict[str, Any], datatype: str, size: int) -> Any:
    name = _short(tensor["name"])
    if datatype == "BYTES":
        return tensors.texts_from_json(tensor.get("data"), tensor["shape"], size, name)
    return tensors.numbers_from_json(tensor.get("data"), datatype, tensor["shape"], size, name)


def _from_bytes(data: memoryview, datatype: str, size: int, name: str) -> Any:
    if datatype == "BYTES":
        return tensors.texts_from_bytes(data, size, name)
    return tensors.numbers_from_bytes(data, datatype, size, name)


def _bytes_of(tensor: dict[str, Any], left: int) -> int | None:
    """How many of the bytes that follow are this tensor's; None where it is in JSON."""
    if "parameters" not in tensor:
        return None
    size = _parameters(tensor, "an input", {"binary_data_size": int}).get("binary_data_size")
    if size is None:
        return None
    if "data" in tensor or not 0 <= size <= left:
        raise Refused(400, "binary_data_size does not fit the body, or data are given as well", "shape")
    return int(size)


def _read_outputs(given: Any, asked: Asked) -> None:
    if type(given) is not list:
        raise Refused(400, "outputs must be a list", "json")
    names = []
    for output in given:
        if type(output) is not dict or type(output.get("name")) is not str:
            raise Refused(400, "an output has a name", "json")
        _refuse_unknown(output, {"name", "parameters"}, "an output")
        wanted = _parameters(output, "an output", {"binary_data": bool})
        if wanted.get("binary_data", asked.all_binary):
            asked.binary.add(output["name"])
        names.append(output["name"])
    if len(set(names)) != len(names):
        raise Refused(400, "an output is asked for twice", "json")
    asked.outputs = names or None


def _parameters(part: dict[str, Any], what: str, known: dict[str, type]) -> dict[str, Any]:
    given = part.get("parameters") or _NOTHING
    if type(given) is not dict:
        raise Refused(400, f"parameters of {what} must be an object", "json")
    _refuse_unknown(given, known.keys(), f"parameters of {what}")
    for name, value in given.items():
        if type(value) is not known[name]:
            raise Refused(400, f"parameter {name} of {what} must be of type {known[name].__name__}", "json")
    return given


def _refuse_unknown(given: dict[str, Any], known: Any, what: str) -> None:
    if not given.keys() <= known:
        raise Refused(400, f"{what} has an unknown member; known are {', '.join(sorted(known))}", "json")


def _short(name: str) -> str:
    """A client's name of a tensor as it may stand in a message."""
    return repr(name[:64])
