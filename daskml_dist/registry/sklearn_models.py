"""scikit-learn's linear models, into an answer and back."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn import linear_model, svm
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from daskml_dist import edge
from daskml_dist.edge import Column
from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.storage import Answer, answer_of, columns_for
from daskml_dist.types import FloatArray


def from_sklearn(model: Any, columns: Sequence[Column] | None = None) -> Answer:
    """The answer of a fitted linear model of scikit-learn, or of a pipeline that scales and ends in one.

    The scaling is folded into the coefficients: w' = w / s and b' = b - w' m, where a step makes (x - m) / s.

    Parameters
    ----------
    model : a fitted estimator, Pipeline or search.
    columns : how its features come from the columns of the data; None where they are the columns.

    Raises
    ------
    UnsupportedParameter
        It is no such model, or a step of the pipeline does more than scale.
    NotFittedError
        It is not fitted.
    """
    if isinstance(model, GridSearchCV | RandomizedSearchCV):
        check_is_fitted(model)
        model = model.best_estimator_
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    check_is_fitted(steps[-1])
    answer = answer_of(steps[-1])
    if answer is None:
        raise UnsupportedParameter(
            f"{type(steps[-1]).__module__}.{type(steps[-1]).__qualname__} has no answer for single rows: "
            "expected a linear model of scikit-learn or of daskml_dist, or a Pipeline of scalers and of one."
        )
    coef, intercept = answer.weights(), answer.intercept
    for step in reversed(steps[:-1]):
        shift, scale = _scaling(step, coef.shape[1])
        coef = coef / scale
        intercept = intercept - coef @ shift
    first = next(step for step in steps if step is not None and step != "passthrough")
    found = columns_for(first, coef.shape[1], columns)
    return replace(answer, coef=answer.coef if len(steps) == 1 else coef, intercept=intercept, columns=found)


def _scaling(step: Any, p: int) -> tuple[FloatArray, FloatArray]:
    """What a step subtracts, and then divides by."""
    none, ones = np.zeros(p), np.ones(p)
    if step is None or step == "passthrough":
        return none, ones
    check_is_fitted(step)
    if type(step) is StandardScaler:
        shift = none if step.mean_ is None or not step.with_mean else step.mean_
        return shift, ones if step.scale_ is None else step.scale_
    if type(step) is RobustScaler:
        return none if step.center_ is None else step.center_, ones if step.scale_ is None else step.scale_
    if type(step) is MaxAbsScaler and not step.get_params().get("clip"):
        return none, step.scale_
    if type(step) is MinMaxScaler and not step.clip:
        return -step.min_ / step.scale_, 1.0 / step.scale_
    raise UnsupportedParameter(
        f"the step {type(step).__name__} of the pipeline does more than scale each feature; apply it before "
        "the training, and register the model that is fitted to what it gives."
    )


def to_sklearn(model: edge.Model) -> Any:
    """A fitted estimator of scikit-learn that predicts the same from the features.

    Parameters
    ----------
    model : what ``Registry.load`` or ``edge.load`` returns. Its columns, if they become other features, are
        no part of the result.

    Raises
    ------
    UnsupportedCombination
        scikit-learn has no linear model of this link.
    """
    classes, k = model.classes, len(model.coef)
    kinds: dict[tuple[str, str], Any] = {
        ("regression", "identity"): linear_model.LinearRegression(),
        ("regression", "log"): linear_model.PoissonRegressor(max_iter=1),
        ("classification", "logit"): linear_model.LogisticRegression(),
        ("classification", "softmax"): linear_model.LogisticRegression(),
        ("classification", "one_vs_rest"): linear_model.SGDClassifier(loss="log_loss"),
        ("classification", "modified_huber"): linear_model.SGDClassifier(loss="modified_huber"),
        ("classification", "decision"): svm.LinearSVC(),
    }
    estimator = kinds.get((model.task, model.link))
    if estimator is None or (model.link == "log" and k > 1):
        raise UnsupportedCombination(
            f"scikit-learn has no linear {model.task} with the link {model.link!r} and {k} margins."
        )
    y = np.ones((2, k) if k > 1 else 2) if classes is None else np.resize(classes, len(classes))
    with warnings.catch_warnings():  # a fit to nothing makes what a fitted estimator has beside coefficients
        warnings.simplefilter("ignore")
        estimator.fit(np.zeros((len(y), len(model.features))), y)
    wide = classes is not None or k > 1
    estimator.coef_ = model.coef.copy() if wide else model.coef[0].copy()
    estimator.intercept_ = model.intercept.copy() if wide else float(model.intercept[0])
    if classes is not None:
        estimator.classes_ = classes
    if model.features != [f"x{number}" for number in range(len(model.features))]:
        estimator.feature_names_in_ = np.array(model.features, dtype=object)
    return estimator
