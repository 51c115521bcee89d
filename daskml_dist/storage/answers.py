"""The answer of an estimator: its coefficients and link, in the form that ``daskml_dist.edge`` evaluates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from daskml_dist.edge import BLOCK, Column
from daskml_dist.errors import InvalidData
from daskml_dist.storage._arrays import ArrayWriter
from daskml_dist.storage._values import Json
from daskml_dist.types import AnyArray, FloatArray

_LINKS = {
    "identity": "LinearRegression Ridge RidgeCV Lasso LassoCV ElasticNet ElasticNetCV HuberRegressor "
    "QuantileRegressor SGDRegressor LinearSVR Lars LassoLars BayesianRidge ARDRegression TheilSenRegressor "
    "MultiTaskLasso MultiTaskElasticNet",
    "log": "PoissonRegressor GammaRegressor",
    "tweedie": "TweedieRegressor GeneralizedLinearRegressor",
    "minimax": "MinimaxRegressor",
    "logistic": "LogisticRegression LogisticRegressionCV MinimaxClassifier",
    "sgd": "SGDClassifier",
    "decision": "LinearSVC RidgeClassifier RidgeClassifierCV Perceptron",
}
_KINDS = {name: kind for kind, names in _LINKS.items() for name in names.split()}


@final
@dataclass(frozen=True)
class Answer:
    """A model as a function of its columns.

    Attributes
    ----------
    task, link : one of ``edge.LINKS``.
    classes : (c,) labels, or None. targets : how many outputs a regression has.
    columns : what the data have, in order.
    coef : (k, p) float64, float32, float16, or int8 with ``scale`` (k, blocks of ``edge.BLOCK`` weights).
    intercept : (k,).
    """

    task: str
    link: str
    classes: AnyArray | None
    targets: int
    columns: tuple[Column, ...]
    coef: AnyArray
    intercept: FloatArray
    scale: AnyArray | None = None

    def weights(self) -> FloatArray:
        """(k, p) coefficients in float64."""
        coef = self.coef.astype(np.float64)
        return coef if self.scale is None else coef * np.repeat(self.scale, BLOCK, axis=1)[:, : coef.shape[1]]

    def described(self, arrays: ArrayWriter) -> Json:
        """The JSON of model.json; the arrays are kept beside it, none of them twice."""
        columns: list[Json] = [asdict(column) | {"levels": list(column.levels)} for column in self.columns]
        scale = None if self.scale is None else arrays.keep_once("answer.coef_scale", self.scale)
        return {
            "task": self.task,
            "link": self.link,
            "classes": None if self.classes is None else self.classes.tolist(),
            "label_dtype": "<f8" if self.classes is None else self.classes.dtype.str,
            "targets": self.targets,
            "columns": columns,
            "features": [name for column in self.columns for name in column.outputs],
            "coef": {
                "tensor": arrays.keep_once("answer.coef", self.coef),
                "dtype": self.coef.dtype.name,
                "scale": scale,
            },
            "intercept": {
                "tensor": arrays.keep_once("answer.intercept", self.intercept),
                "dtype": self.intercept.dtype.name,
                "scale": None,
            },
        }


def answer_of(model: Any, columns: Sequence[Column] | None = None) -> Answer | None:
    """The answer of a fitted linear estimator, of this library or of scikit-learn.

    Parameters
    ----------
    model : fitted. Offsets of its fit are no part of the answer.
    columns : how the features come from the columns of the data; None where they are the columns.

    Returns
    -------
    None where there is no such form: a model for each cell, labels that JSON has no word for, others.

    Raises
    ------
    InvalidData
        The columns do not become the features that the model was fitted to.
    """
    kind = _KINDS.get(type(model).__name__) if _is_known(model) else None
    layout = vars(model).get("layout_")
    if (
        kind is None
        or "coef_" not in vars(model)
        and kind != "linear"
        or (layout is not None and layout.mapped)
    ):
        return None
    p = int(model.n_features_in_)
    coef = np.ascontiguousarray(np.asarray(model.coef_).reshape(-1, p))
    if coef.dtype not in (np.float64, np.float32):
        coef = coef.astype(np.float64)
    intercept = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64).reshape(-1), (len(coef),))
    classes = np.asarray(model.classes_) if "classes_" in vars(model) else None
    if classes is not None and not _has_words(classes):
        return None
    task = "regression" if classes is None else "classification"
    found = columns_for(model, p, columns)
    return Answer(task, _link(kind, model, len(coef)), classes, len(coef), found, coef, intercept.copy())


def _is_known(model: Any) -> bool:
    """Whether a name means what it says: a class of this library or of scikit-learn."""
    return type(model).__module__.partition(".")[0] in ("daskml_dist", "sklearn")


def _link(kind: str, model: Any, margins: int) -> str:
    if kind == "logistic":
        return "logit" if margins == 1 else "softmax"
    if kind == "sgd":
        if model.loss == "log_loss":
            return "logit" if margins == 1 else "one_vs_rest"
        return "modified_huber" if model.loss == "modified_huber" else "decision"
    if kind == "minimax":
        return "identity" if model.loss == "squared_error" else "log"
    return _tweedie_link(model) if kind == "tweedie" else kind


def _tweedie_link(model: Any) -> str:
    """The link of a family; that of a power where there is no family."""
    family = vars(model).get("family", "tweedie")
    if model.link != "auto":
        return str(model.link)
    if family == "binomial":
        return "logit"
    return "identity" if family == "normal" or (family == "tweedie" and model.power <= 0.0) else "log"


def _has_words(classes: AnyArray) -> bool:
    """Whether JSON can hold the labels: numbers, bools and text."""
    plain = classes.dtype.kind in "biufU" or {type(label) for label in classes.tolist()} <= {
        str,
        int,
        bool,
        float,
    }
    return plain and classes.dtype.char not in "g" and classes.dtype.itemsize < 40_000


def columns_for(model: Any, p: int, columns: Sequence[Column] | None) -> tuple[Column, ...]:
    """The given columns, if they become the p features of the model; else a number for each feature."""
    names = [str(name) for name in vars(model).get("feature_names_in_", ())]
    if columns is None:
        if len(set(names)) != p:  # none, or some that do not tell features apart
            names = [f"x{number}" for number in range(p)]
        return tuple(Column(name) for name in names)
    made = [name for column in columns for name in column.outputs]
    if len(made) != p or (names and made != names):
        odd = next((f"{a!r} instead of {b!r}" for a, b in zip(made, names, strict=False) if a != b), "")
        raise InvalidData(
            f"columns= make {len(made)} features, and the model was fitted to {p}{': ' if odd else ''}{odd}. "
            "Give the columns in the order of the features."
        )
    return tuple(columns)
