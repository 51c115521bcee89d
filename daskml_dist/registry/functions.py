"""Answers as functions, and functions as answers, without a directory between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dask
import numpy as np

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
    """What a loaded model answers; weights that came from float32 go back to it."""
    narrow = model.coef.astype(np.float32)
    coef = narrow if np.array_equal(narrow, model.coef) else model.coef
    return Answer(model.task, model.link, model.classes, model.targets, model.columns, coef, model.intercept)


def by_chunk(
    X: Any, y: Any, features: Sequence[str], look: Callable[[Any, Any, int], Any], scheduler: Any = None
) -> list[Any]:
    """What a function says of each chunk of the data, in order; lazy ones are read where they are.

    Parameters
    ----------
    X, y : (n, p) and (n,), or y None. features : the p names that the model knows.
    look : of the rows of a chunk, their targets or None, and the number of chunks.

    Raises
    ------
    InvalidData
        There are no rows, or other features.
    """
    rows = next(iter(getattr(X, "shape", ())), None)
    if isinstance(rows, int) and rows == 0:  # the reader of estimators complains as scikit-learn wants it
        raise InvalidData("data= has 0 samples; give features (n, p) with at least one row.")
    table = inputs.read(X, y, y_required=False, multi_output=True)
    if table.n_features != len(features):
        raise InvalidData(f"data= has {table.n_features} features, and the model has {len(features)}.")
    names = [] if table.feature_names is None else [str(name) for name in table.feature_names]
    if set(names) & set(features) and names != list(
        features
    ):  # names of columns that became others say nothing
        odd = next(name for name, own in zip(names, features, strict=True) if name != own)
        raise InvalidData(
            f"data= has other columns than the model, or in another order: {odd!r} is not in its place."
        )
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
