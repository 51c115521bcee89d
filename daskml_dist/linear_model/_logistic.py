"""What the logistic models share: from margins to labels and probabilities, and from C to a penalty."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.utils.validation import check_is_fitted

from daskml_dist.kernels import Point
from daskml_dist.linear_model._base import margins
from daskml_dist.linear_model._classes import LinearClassifier
from daskml_dist.linear_model._labelled import is_mapped
from daskml_dist.linear_model._maps import probabilities
from daskml_dist.losses import Logistic
from daskml_dist.penalties import L2, ElasticNet, Penalty, Unpenalised
from daskml_dist.types import AnyArray


class LogisticModel(LinearClassifier):
    """A classifier whose log odds are linear in the features."""

    def predict_proba(self, X: Any) -> Any:
        """(n, k) probabilities in the order of ``classes_``, in the kind of X."""
        check_is_fitted(self)
        if is_mapped(self):
            return probabilities(self, X, self._result_dtype(X), log=False)
        function = partial(_probabilities, self._point(), self._result_dtype(X))
        return self._apply(X, function, self.classes_.tolist(), self._result_dtype(X))

    def predict_log_proba(self, X: Any) -> Any:
        """(n, k) logarithms of the probabilities, in the kind of X."""
        check_is_fitted(self)
        if is_mapped(self):
            return probabilities(self, X, self._result_dtype(X), log=True)
        function = partial(_log_probabilities, self._point(), self._result_dtype(X))
        return self._apply(X, function, self.classes_.tolist(), self._result_dtype(X))

    def _start(self) -> Point | None:
        point = super()._start()
        return None if point is None else replace(point, joint=len(point.w) > 1)


def penalty(C: float, l1_ratio: float, weight_sum: float) -> Penalty:
    """(1 / C) |w|^2 / 2 on the sum of losses is alpha = 1 / (C sum of weights) on their mean."""
    if np.isinf(C):
        return Unpenalised()
    alpha = 1.0 / (C * weight_sum)
    return L2(alpha) if l1_ratio == 0.0 else ElasticNet(l1_ratio * alpha, (1.0 - l1_ratio) * alpha)


def symmetric(w: AnyArray, b: AnyArray, *, penalised: bool) -> tuple[AnyArray, AnyArray]:
    """Of the models with the same probabilities, the one whose classes add up to zero.

    The same number may be added to all intercepts, and to all coefficients of a feature where nothing
    penalises them.
    """
    if len(w) == 1:
        return w, b
    return w if penalised else w - w.mean(axis=0), b - b.mean()


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
