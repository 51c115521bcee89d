"""ONNX files: the answer of a model for any runtime, compared on golden rows before anybody gets it."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any, final

import numpy as np

from daskml_dist import edge
from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.storage import Folder
from daskml_dist.types import AnyArray, FloatArray

OPSET, IR = 17, 8
_TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def export_onnx(model: edge.Model, path: str | os.PathLike[str], *, dtype: str = "float64") -> None:
    """Write a model as ONNX: from "X" (n, p) to "prediction", and to "probability" where there is one.

    Parameters
    ----------
    model : what ``Registry.load`` or ``edge.load`` returns. Its features go in: encode categories before.
    path : of the file.
    dtype : "float64", or "float32" of X and the numbers that come out. Means of the log link take float64.

    Raises
    ------
    UnsupportedCombination
        The runtime gives other answers than the model, on golden rows or (where there are none) on random
        ones; nothing is written.
    UnsupportedParameter
        Another dtype.
    ImportError
        onnx or onnxruntime is not installed.
    """
    if dtype not in ("float64", "float32"):
        raise UnsupportedParameter(f"dtype={dtype!r}: expected 'float64' or 'float32'.")
    if (model.link, dtype) == ("probit", "float64"):
        raise UnsupportedCombination(
            "the ONNX runtime knows the probit link in float32 only; use dtype='float32'."
        )
    data = onnx_bytes(model, np.dtype(dtype))
    rows = model.reference.get("golden.X")
    X = np.random.default_rng(0).normal(size=(16, len(model.features))) if rows is None else rows
    _compare(model, data, np.asarray(X, dtype=np.float64), np.dtype(dtype))
    target = Path(path)
    Folder(target.parent).write(target.name, data)


def onnx_bytes(model: edge.Model, dtype: np.dtype[Any]) -> bytes:
    """The content of the file."""
    onnx = _imported("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    number, p = kinds.DOUBLE if dtype == np.float64 else kinds.FLOAT, len(model.features)
    graph = _Graph(onnx, dtype)
    graph.node("Gemm", "X", graph.constant(model.coef.T), graph.constant(model.intercept), out="margin")
    shape: list[int | None] = (
        [None] if model.classes is not None or model.targets == 1 else [None, model.targets]
    )
    if model.classes is None:
        _add_means(graph, model)
        kind = number
    else:
        kind = _add_labels(graph, model.classes, len(model.coef))
    outputs = [helper.make_tensor_value_info("prediction", kind, shape)]
    if "probability" in model.outputs:
        _add_probabilities(graph, model)
        outputs.append(helper.make_tensor_value_info("probability", number, [None, None]))
    entry = helper.make_tensor_value_info("X", number, [None, p])
    body = helper.make_graph(graph.nodes, model.name or "model", [entry], outputs, graph.constants)
    made = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    helper.set_model_props(made, {"link": model.link, "version": str(model.version or "")})
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


@final
class _Graph:
    """Nodes and constants of a graph that is being made."""

    def __init__(self, onnx: Any, dtype: np.dtype[Any]) -> None:
        self.onnx, self.dtype = onnx, dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> str:
        """Numbers in the dtype of the graph; the name of the tensor."""
        return self.tensor(np.asarray(value, dtype=self.dtype))

    def tensor(self, array: AnyArray) -> str:
        """An array as it is; the name of the tensor."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """An operation; the name of what it gives."""
        name = out or f"value_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name


def _add_means(graph: _Graph, model: edge.Model) -> None:
    z = "margin"
    if model.targets == 1:
        z = graph.node("Squeeze", z, graph.tensor(np.array([1], dtype=np.int64)))
    largest = 709.78 if graph.dtype == np.float64 else 88.72
    one = graph.constant(1.0)
    if model.link == "identity":
        graph.node("Identity", z, out="prediction")
    elif model.link == "log":
        graph.node("Exp", graph.node("Min", z, graph.constant(largest)), out="prediction")
    elif model.link == "logit":
        graph.node("Sigmoid", z, out="prediction")
    elif model.link == "probit":
        error = graph.node("Erf", graph.node("Mul", z, graph.constant(0.5**0.5)))
        graph.node("Mul", graph.node("Add", error, one), graph.constant(0.5), out="prediction")
    else:
        survival = graph.node(
            "Exp", graph.node("Neg", graph.node("Exp", graph.node("Min", z, graph.constant(9.0))))
        )
        graph.node("Sub", one, survival, out="prediction")


def _add_labels(graph: _Graph, classes: AnyArray, margins: int) -> int:
    """The label of the largest margin; the kind of tensor that it is."""
    kinds, listed = graph.onnx.TensorProto, classes.tolist()
    types = {type(label) for label in listed}
    if len(types) != 1:
        raise UnsupportedCombination(
            f"labels of several types, {sorted(map(str, types))}, have no form in ONNX."
        )
    if margins == 1:
        above = graph.node("Greater", "margin", graph.constant(0.0))
        one = graph.tensor(np.array([1], dtype=np.int64))
        best = graph.node("Squeeze", graph.node("Cast", above, to=kinds.INT64), one)
    else:
        best = graph.node("ArgMax", "margin", axis=1, keepdims=0)
    label = types.pop()
    dtype, kind = {
        str: (object, kinds.STRING),
        int: (np.int64, kinds.INT64),
        bool: (np.bool_, kinds.BOOL),
        float: (np.float64, kinds.DOUBLE),
    }[label]
    graph.node("Gather", graph.tensor(np.array(listed, dtype=dtype)), best, out="prediction")
    return int(kind)


def _add_probabilities(graph: _Graph, model: edge.Model) -> None:
    z = "margin"
    if len(model.coef) == 1:
        z = graph.node("Concat", graph.node("Neg", z), z, axis=1)
    if model.link == "softmax":
        graph.node("Softmax", z, axis=1, out="probability")
        return
    if model.link == "modified_huber":
        half = graph.constant(0.5)
        ramp = graph.node("Add", graph.node("Mul", z, half), half)
        chance = graph.node("Min", graph.node("Max", ramp, graph.constant(0.0)), graph.constant(1.0))
    else:
        chance = graph.node("Sigmoid", z)
    if len(model.coef) == 1:
        graph.node("Identity", chance, out="probability")
        return
    total = graph.node("ReduceSum", chance, graph.tensor(np.array([1], dtype=np.int64)), keepdims=1)
    there = graph.node("Greater", total, graph.constant(0.0))
    share = graph.node("Div", chance, graph.node("Where", there, total, graph.constant(1.0)))
    graph.node("Where", there, share, graph.constant(1.0 / len(model.coef)), out="probability")


def _compare(model: edge.Model, data: bytes, X: FloatArray, dtype: np.dtype[Any]) -> None:
    """Refuse a file that answers otherwise."""
    runtime = _imported("onnxruntime")
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    given = dict(zip(names, session.run(None, {"X": X.astype(dtype)}), strict=True))
    near = X.astype(dtype).astype(np.float64)  # what the runtime was given
    z, tolerance = model.margin(near), _TOLERANCE[dtype.name]
    scale = np.abs(near) @ np.abs(model.coef).T + np.abs(model.intercept)  # rounding errors grow with these
    wanted = model.predicted(z)
    if model.classes is None:
        error = tolerance * (1.0 + scale[:, 0] if model.targets == 1 else 1.0 + scale)
        right = np.abs(given["prediction"] - wanted) <= error * np.maximum(np.abs(wanted), 1.0)
    else:
        gap = np.abs(z[:, 0]) if z.shape[1] == 1 else np.diff(np.sort(z, axis=1)[:, -2:])[:, 0]
        right = (given["prediction"] == wanted) | (gap <= tolerance * scale.max(axis=1))
    chances = "probability" not in model.outputs or np.all(
        np.abs(given["probability"] - model.probabilities(z))
        <= tolerance * (1.0 + scale.max(axis=1))[:, None]
    )
    if not (np.all(right) and chances):
        raise UnsupportedCombination(
            f"the ONNX runtime gives other answers than the model in {dtype.name}; nothing was written. Try "
            "dtype='float64', or scale the features."
        )


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f'ONNX files need {name}: pip install "daskml_dist[onnx]"') from error
