"""Models and data that the tests of this room share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from daskml_dist import edge
from daskml_dist.edge import Column
from daskml_dist.storage import answer_of, model_files, sealed_manifest
from daskml_dist.types import FloatArray

SEED = 20261122


def as_edge(model: Any, X: FloatArray, columns: Sequence[Column] | None = None) -> edge.Model:
    """The answer of an estimator as a file would give it, and the means of its features."""
    files = model_files(None, {}, {}, answer_of(model, columns))
    files["manifest.json"] = sealed_manifest(files)
    found = edge.Model(edge.Sealed(lambda name, most: files[name]))
    found.means = X.mean(axis=0)
    return found


def rows(n: int = 2000) -> tuple[FloatArray, FloatArray]:
    """Features of unequal weight, and margins."""
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(n, 4)) * [1.0, 2.0, 0.5, 1.0] + [0.0, 1.0, 0.0, -1.0]
    return X, X @ [1.0, 0.25, 0.6, 0.0] - 0.25 + 0.3 * rng.normal(size=n)
