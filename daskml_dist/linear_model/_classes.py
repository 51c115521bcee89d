"""What classifiers share: labels from margins, and the weights of classes."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import Point
from daskml_dist.linear_model._base import LinearModel, margins
from daskml_dist.linear_model._labelled import is_mapped, scored
from daskml_dist.linear_model._maps import decisions, predicted_labels, score_of_labels
from daskml_dist.metrics import accuracy_score
from daskml_dist.types import AnyArray, FloatArray


class LinearClassifier(ClassifierMixin, LinearModel):
    """A model with a margin for the second of two classes, or for each of more."""

    classes_: AnyArray
    scheduler: Any

    def decision_function(self, X: Any) -> Any:
        """(n,) margins x @ w + b, above zero for ``classes_[1]``; (n, k) of more than two classes."""
        check_is_fitted(self)
        if is_mapped(self):
            return decisions(self, X, self._result_dtype(X))
        function = partial(_decision, self._point(), self._result_dtype(X))
        outputs = None if len(self.classes_) == 2 else self.classes_.tolist()
        return self._apply(X, function, outputs, self._result_dtype(X))

    def predict(self, X: Any) -> Any:
        """(n,) labels, in the kind of X."""
        check_is_fitted(self)
        if is_mapped(self):
            return predicted_labels(self, X)
        function = partial(_labels, self._point(), self.classes_)
        return self._apply(X, function, None, self.classes_.dtype, target=True)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on X and y, as a number; computed on the cluster where X lives there.

        A model for each cell has an accuracy for each cell, a DataArray.
        """
        check_is_fitted(self)
        if is_mapped(self):
            scores: Any = score_of_labels(self, X, y, sample_weight)
            return scores  # type: ignore[no-any-return]
        X, y, sample_weight = scored(self, X, y, sample_weight)
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight, scheduler=self.scheduler)


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


def _decision(point: Point, dtype: Any, x: AnyArray) -> AnyArray:
    """(m,) margins of a block for two classes, (m, K) for more."""
    return margins(point, x).astype(dtype)


def _labels(point: Point, classes: AnyArray, x: AnyArray) -> AnyArray:
    """(m,) the class with the largest margin."""
    z = margins(point, x)
    return np.asarray(classes[(z > 0.0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)])
