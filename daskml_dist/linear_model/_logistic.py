"""What the logistic models share: from margins to labels and probabilities, and from C to a penalty."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import Point
from daskml_dist.linear_model._base import LinearModel, margins
from daskml_dist.losses import Logistic
from daskml_dist.metrics import accuracy_score
from daskml_dist.penalties import L2, ElasticNet, Penalty, Unpenalised
from daskml_dist.types import AnyArray, FloatArray


class LogisticModel(ClassifierMixin, LinearModel):
    """A classifier whose log odds are linear in the features."""

    classes_: AnyArray
    scheduler: Any

    def decision_function(self, X: Any) -> Any:
        """(n,) margins x @ w + b, above zero for ``classes_[1]``; (n, k) of more than two classes."""
        check_is_fitted(self)
        function = partial(_decision, self._point(), self._result_dtype(X))
        outputs = None if len(self.classes_) == 2 else self.classes_.tolist()
        return self._apply(X, function, outputs, self._result_dtype(X))

    def predict(self, X: Any) -> Any:
        """(n,) labels, in the kind of X."""
        check_is_fitted(self)
        return self._apply(X, partial(_labels, self._point(), self.classes_), None, self.classes_.dtype)

    def predict_proba(self, X: Any) -> Any:
        """(n, k) probabilities in the order of ``classes_``, in the kind of X."""
        check_is_fitted(self)
        function = partial(_probabilities, self._point(), self._result_dtype(X))
        return self._apply(X, function, self.classes_.tolist(), self._result_dtype(X))

    def predict_log_proba(self, X: Any) -> Any:
        """(n, k) logarithms of the probabilities, in the kind of X."""
        check_is_fitted(self)
        function = partial(_log_probabilities, self._point(), self._result_dtype(X))
        return self._apply(X, function, self.classes_.tolist(), self._result_dtype(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on X and y, as a number; computed on the cluster where X lives there."""
        check_is_fitted(self)
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight, scheduler=self.scheduler)


def penalty(C: float, l1_ratio: float, weight_sum: float) -> Penalty:
    """(1 / C) |w|^2 / 2 on the sum of losses is alpha = 1 / (C sum of weights) on their mean."""
    if np.isinf(C):
        return Unpenalised()
    alpha = 1.0 / (C * weight_sum)
    return L2(alpha) if l1_ratio == 0.0 else ElasticNet(l1_ratio * alpha, (1.0 - l1_ratio) * alpha)


def factors(class_weight: Any, classes: AnyArray, counts: AnyArray, weights: AnyArray) -> FloatArray:
    """(k,) the factor of each class."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        # as compute_class_weight("balanced", sample_weight=...): classes get the same total weight
        return np.asarray(weights.sum() / (len(classes) * weights))
    if not isinstance(class_weight, dict):
        raise InvalidData(
            f"class_weight must be a dict of class and factor, 'balanced', or None; got: {class_weight!r}."
        )
    try:
        found = compute_class_weight(class_weight, classes=classes, y=classes)
    except ValueError as cause:
        raise InvalidData(f"class_weight does not fit the classes of y: {cause}") from cause
    if not all(np.isfinite(found) & (found >= 0)):
        raise InvalidData(f"class_weight={class_weight!r}: expected finite factors >= 0.")
    return np.asarray(found, dtype=np.float64)


def symmetric(w: AnyArray, b: AnyArray, *, penalised: bool) -> tuple[AnyArray, AnyArray]:
    """Of the models with the same probabilities, the one whose classes add up to zero.

    The same number may be added to all intercepts, and to all coefficients of a feature where nothing
    penalises them.
    """
    if len(w) == 1:
        return w, b
    return w if penalised else w - w.mean(axis=0), b - b.mean()


def _decision(point: Point, dtype: Any, x: AnyArray) -> AnyArray:
    return margins(point, x).astype(dtype)


def _labels(point: Point, classes: AnyArray, x: AnyArray) -> AnyArray:
    z = margins(point, x)
    return np.asarray(classes[(z > 0.0).astype(np.intp) if z.ndim == 1 else z.argmax(axis=1)])


def _probabilities(point: Point, dtype: Any, x: AnyArray) -> AnyArray:
    z = margins(point, x)
    if z.ndim == 2:
        return np.asarray(softmax(z, axis=1)).astype(dtype)
    return np.column_stack([Logistic().mean(-z), Logistic().mean(z)]).astype(dtype)


def _log_probabilities(point: Point, dtype: Any, x: AnyArray) -> AnyArray:
    z = margins(point, x)
    if z.ndim == 2:
        return np.asarray(log_softmax(z, axis=1)).astype(dtype)
    return np.column_stack([-np.logaddexp(0.0, z), -np.logaddexp(0.0, -z)]).astype(dtype)
