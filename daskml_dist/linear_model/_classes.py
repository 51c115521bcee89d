"""What classifiers share: the weights of classes, and labels from margins."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import Point
from daskml_dist.linear_model._base import margins
from daskml_dist.types import AnyArray, FloatArray


def class_factors(class_weight: Any, classes: AnyArray, counts: AnyArray, weights: AnyArray) -> FloatArray:
    """(k,) the factor of each class."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        # as compute_class_weight("balanced", sample_weight=...): classes get the same total weight
        return np.asarray(weights.sum() / (len(classes) * weights))
    if not isinstance(class_weight, dict):
        raise InvalidData(
            f"class_weight must be a dict of class and factor, 'balanced', or None; got: {class_weight!r}."
        )
    try:
        factors = compute_class_weight(class_weight, classes=classes, y=classes)
    except ValueError as cause:
        raise InvalidData(f"class_weight does not fit the classes of y: {cause}") from cause
    if not all(np.isfinite(factors) & (factors >= 0)):
        raise InvalidData(f"class_weight={class_weight!r}: expected finite factors >= 0.")
    return np.asarray(factors, dtype=np.float64)


def decision(point: Point, dtype: Any, x: AnyArray) -> AnyArray:
    """(m,) margins of a block for two classes, (m, K) for more."""
    return margins(point, x).astype(dtype)


def labels(point: Point, classes: AnyArray, x: AnyArray) -> AnyArray:
    """(m,) the class with the largest margin."""
    z = margins(point, x)
    return np.asarray(classes[(z > 0.0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)])
