"""Any model as functions of a block of rows: of this library, of scikit-learn, or a registered one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier, is_regressor

from daskml_dist import edge
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Answering:
    """A fitted model, and how it is asked.

    Attributes
    ----------
    model : an ``edge.Model``, or an estimator with ``predict``.
    task : what it does.
    classes : (c,) of a classification, else None.
    names : of its features where it insists on them, else None.
    shift : what an offset does to the numbers of a regression, or None.
    """

    model: Any
    task: Literal["regression", "classification"]
    classes: AnyArray | None
    names: tuple[str, ...] | None
    shift: Callable[[AnyArray], AnyArray] | None = None

    @property
    def has_probabilities(self) -> bool:
        """Whether a classification knows probabilities."""
        if isinstance(self.model, edge.Model):
            return "probability" in self.model.outputs
        return callable(getattr(self.model, "predict_proba", None))

    def predict(self, X: FloatArray) -> AnyArray:
        """(n,) labels or numbers, (n, targets) of several targets."""
        found = np.asarray(self.model.predict(self._given(X)))
        return found if self.shift is None else self.shift(found)

    def probabilities(self, X: FloatArray) -> FloatArray:
        """(n, c) probabilities."""
        return np.asarray(self.model.predict_proba(self._given(X)), dtype=np.float64)

    def response(self, X: FloatArray) -> FloatArray:
        """(n, k) what a curve is drawn of: numbers, or probabilities, or margins where there are none.

        Of two classes only the second.
        """
        if self.task == "regression":
            found = self.predict(X)
        elif self.has_probabilities:
            found = self.probabilities(X)
            found = found[:, 1:] if found.shape[1] == 2 else found
        else:
            edges = isinstance(self.model, edge.Model)
            found = self.model.margin(X) if edges else self.model.decision_function(self._given(X))
        found = np.asarray(found, dtype=np.float64)
        return found[:, None] if found.ndim == 1 else found

    def _given(self, X: FloatArray) -> Any:
        return X if self.names is None else pd.DataFrame(X, columns=list(self.names))


def answering(model: Any) -> Answering:
    """How a model is asked.

    Raises
    ------
    TypeError
        For what is neither a model of this library nor a classifier or regressor of scikit-learn.
    """
    if isinstance(model, edge.Model):
        return Answering(model, model.task, model.classes, None)
    names = getattr(model, "feature_names_in_", None)
    names = None if names is None else tuple(str(name) for name in names)
    if not isinstance(model, BaseEstimator):
        raise _no_model(model)
    if is_classifier(model):
        return Answering(model, "classification", np.asarray(model.classes_), names)
    if is_regressor(model):
        return Answering(model, "regression", None, names)
    raise _no_model(model)


def _no_model(model: object) -> TypeError:
    return TypeError(
        f"{type(model).__name__} is no model; give a fitted classifier or regressor of daskml_dist or "
        "scikit-learn, or an edge.Model"
    )
