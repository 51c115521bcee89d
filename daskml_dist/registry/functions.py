"""Answers as functions, and functions as answers, without a directory between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dask

from daskml_dist import edge, inputs
from daskml_dist.cluster import connect
from daskml_dist.errors import InvalidData
from daskml_dist.storage import Answer, model_files, sealed_manifest


def in_memory(files: Mapping[str, bytes]) -> edge.Model:
    """The model that these files are."""
    whole = {**files, edge.MANIFEST: sealed_manifest(files)}
    return edge.Model(edge.Sealed(lambda name, most: whole[name]))


def function_of(answer: Answer) -> edge.Model:
    """The model that answers so."""
    return in_memory(model_files(None, {}, {}, answer))


def answer_from(model: edge.Model) -> Answer:
    """What a loaded model answers, with weights in float64."""
    return Answer(
        model.task, model.link, model.classes, model.targets, model.columns, model.coef, model.intercept
    )


def by_chunk(
    X: Any, y: Any, features: int, look: Callable[[Any, Any, int], Any], scheduler: Any = None
) -> list[Any]:
    """What a function says of each chunk of the data, in order; lazy ones are read where they are.

    Parameters
    ----------
    X, y : (n, features) and (n,), or y None.
    look : of the rows of a chunk, their targets or None, and the number of chunks.
    """
    table = inputs.read(X, y, y_required=False, multi_output=True)
    if table.n_features != features:
        raise InvalidData(f"data= has {table.n_features} features, and the model has {features}.")
    if not table.lazy:
        return [look(table.X, table.y, 1)]
    pieces = table.X.to_delayed().ravel()
    targets = [None] * len(pieces) if table.y is None else table.y.to_delayed().ravel()
    task, hands = dask.delayed(look, pure=False), connect(scheduler, lazy=True)
    try:
        asked = [task(x, t, len(pieces)) for x, t in zip(pieces, targets, strict=True)]
        found: list[Any] = hands.evaluate(dask.delayed(asked))  # one answer, wherever it is computed
        return found
    finally:
        hands.close()
