"""What a version keeps of its data: how many rows, a fingerprint, means, golden rows and the bins for drift.

One pass over the data, chunk by chunk. Values of rows are kept only as golden rows and as edges of bins.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
from scipy.sparse import issparse

from daskml_dist import drift, edge
from daskml_dist.errors import InvalidData
from daskml_dist.registry.functions import by_chunk
from daskml_dist.types import AnyArray, FloatArray

GOLDEN = 16
"""Golden rows at most."""
_SAMPLE_ROWS, _SAMPLE_BYTES = 20_000, 64 << 20
_MOST_CLASSES = 20


@final
@dataclass(frozen=True)
class Described:
    """What one pass has found.

    Attributes
    ----------
    rows : n. means : (p,) of the features.
    sample : (m, p) rows, evenly spread over the chunks.
    fingerprint : see ``fingerprint_of``. target : of y, in words and numbers; None without y.
    """

    rows: int
    means: FloatArray
    sample: FloatArray
    fingerprint: str
    target: dict[str, Any] | None


@final
@dataclass(frozen=True)
class _Part:
    """The same of one chunk."""

    rows: int
    totals: FloatArray
    sample: FloatArray
    labels: Counter[Any] | None
    moments: tuple[float, float, float] | None
    targets: AnyArray | None


def describe(X: Any, y: Any, features: Sequence[str], scheduler: Any = None) -> Described:
    """Look at the data once.

    Parameters
    ----------
    X : (n, p) features as the model takes them; numpy, pandas, dask, xarray or sparse.
    y : (n,) target, or None.
    features : their names.

    Raises
    ------
    InvalidData
        There are no rows, or not as many features as the model has.
    """
    look = partial(_look, max(1, min(_SAMPLE_ROWS, _SAMPLE_BYTES // (8 * len(features)))))
    return _joined(by_chunk(X, y, features, look, scheduler), features)


def fingerprint_of(parts: Sequence[_Part], features: Sequence[str]) -> str:
    """SHA-256 over the names, the rows of each chunk, and evenly spread rows of it with their target.

    It is cheap, and no proof: data that differ in other rows than the sampled ones alone have the same one.
    Data that are cut into other chunks have another one.
    """
    found = hashlib.sha256(json.dumps([list(features), [part.rows for part in parts]]).encode())
    for part in parts:
        found.update(np.ascontiguousarray(part.sample).tobytes())
        if part.targets is not None:
            found.update(json.dumps(part.targets.tolist(), default=str).encode())
    return found.hexdigest()


def reference_arrays(model: edge.Model, found: Described) -> dict[str, AnyArray]:
    """The content of reference.safetensors: "means", "golden.X", "golden.margin", "drift.*"."""
    at = np.unique(np.linspace(0, len(found.sample) - 1, min(GOLDEN, len(found.sample))).astype(np.intp))
    golden = found.sample[at].copy()
    personal = np.array([column.personal for column in model.columns for _ in column.outputs])
    golden[:, personal] = found.means[personal]  # whoever reads the version learns nothing of a person
    arrays = {"means": found.means, "golden.X": golden, "golden.margin": model.margin(golden)}
    seen = drift.reference(found.sample, model.features, scores=model.watched(model.margin(found.sample)))
    return arrays | seen.to_arrays()


def _look(sampled: int, X: Any, y: Any, chunks: int) -> _Part:
    """One chunk; its evenly spread rows are taken before anything becomes dense."""
    rows, keep = X.shape[0], max(1, sampled // chunks)
    at = (
        np.unique(np.linspace(0, rows - 1, min(keep, rows)).astype(np.intp)) if rows else np.empty(0, np.intp)
    )
    sample = X[at].toarray() if issparse(X) else np.asarray(X[at])
    totals = np.asarray(X.sum(axis=0), dtype=np.float64).reshape(-1)
    if y is None:
        return _Part(rows, totals, sample.astype(np.float64), None, None, None)
    y = np.asarray(y)
    counted = y.ndim == 1 and (y.dtype.kind not in "fc" or bool((y == np.floor(y)).all()))
    labels = Counter(y.tolist()) if counted else None
    numbers = y.astype(np.float64) if y.dtype.kind in "biuf" and rows else None
    moments = None if numbers is None else (float(numbers.sum()), float(numbers.min()), float(numbers.max()))
    few = labels if labels is not None and len(labels) <= _MOST_CLASSES else None
    return _Part(rows, totals, sample.astype(np.float64), few, moments, y[at])


def _joined(parts: list[_Part], features: Sequence[str]) -> Described:
    rows = sum(part.rows for part in parts)
    if rows == 0:
        raise InvalidData("data= has no rows.")
    means = (
        np.array([math.fsum(column) for column in zip(*(part.totals for part in parts), strict=True)]) / rows
    )
    if not np.isfinite(means).all():
        name = features[int(np.isfinite(means).argmin())]
        raise InvalidData(
            f"data= has values of {name!r} that are missing or infinite; give the features of the fit."
        )
    sample = np.vstack([part.sample for part in parts])
    return Described(rows, means, sample, fingerprint_of(parts, features), _target(parts, rows))


def _target(parts: list[_Part], rows: int) -> dict[str, Any] | None:
    """Shares of classes, or mean and range of numbers."""
    filled = [part for part in parts if part.rows]
    if all(part.labels is not None for part in filled):
        counts: Counter[Any] = sum((part.labels for part in filled if part.labels), Counter())
        if len(counts) <= _MOST_CLASSES:
            return {
                "classes": {
                    str(label): n / rows for label, n in sorted(counts.items(), key=lambda i: str(i[0]))
                }
            }
    moments = [part.moments for part in filled if part.moments is not None]
    if not moments:
        return None
    totals, least, most = zip(*moments, strict=True)
    return {"mean": math.fsum(totals) / rows, "least": min(least), "most": max(most)}
