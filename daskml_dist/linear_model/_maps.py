"""A linear model for each cell or group: what ``fit_over`` sets, and what such a model predicts."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from sklearn.exceptions import ConvergenceWarning

from daskml_dist import labelled
from daskml_dist.cluster import connect, single_threaded_blas
from daskml_dist.errors import InvalidData, UnsupportedCombination
from daskml_dist.fit import Training
from daskml_dist.labelled import Asked, Maps, Naming, Strength
from daskml_dist.linear_model._labelled import forget, is_identity
from daskml_dist.losses import JointLoss, Logistic, Loss, ScaledLoss, Squared
from daskml_dist.penalties import L2, Unpenalised
from daskml_dist.types import AnyArray, FloatArray


def fit_maps(
    model: Any,
    training: Training,
    asked: Asked,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    offset: Any = None,
) -> None:
    """Fit a model in each cell, and set the attributes.

    Raises
    ------
    UnsupportedCombination
        A loss, penalty or parameter for which there is no solver of many models.
    """
    strength = strength_of(model, training)
    data = labelled.matched(asked, X, {"y": y, "sample_weight": sample_weight, "offset": offset})
    lazy = any(array.chunks is not None for array in data.arrays)
    hands = connect(training.scheduler, lazy=lazy, patience=training.patience)
    with single_threaded_blas():
        try:
            found, classes = _found(training, asked, data, strength, hands.evaluate)
        finally:
            hands.close()
    _keep(model, training, labelled.naming_of(data), found, classes)


def _found(
    training: Training, asked: Asked, data: Any, strength: Strength, evaluate: Any
) -> tuple[Maps, AnyArray | None]:
    """The models of all cells, and the classes where y holds some."""
    squares = isinstance(training.loss, Squared) and strength.constant == 0.0 and "offset" not in data.parts
    field = labelled.field_of(asked, data, evaluate, whole_samples=not squares)
    if squares:
        found = labelled.least_squares(field, evaluate, intercept=training.intercept, alpha=strength.inverse)
        return found, None
    classes = None
    if training.labels:
        classes = labelled.classes_of(data.parts["y"], evaluate)
        if classes.dtype.kind == "f" and (classes % 1.0).any():
            raise InvalidData(
                "Unknown label type: continuous. A classifier expects classes, and y holds fractions such as "
                f"{classes[classes % 1.0 != 0.0][0]:g}. Maybe you want a regressor."
            )
        if len(classes) != 2:
            raise InvalidData(
                f"{training.name} with fit_over needs a y of two classes in all cells together; there are "
                f"{len(classes)}: {classes[:5].tolist()!r}."
            )
    found = labelled.curved(
        field,
        evaluate,
        loss=training.loss,
        alpha=strength,
        intercept=training.intercept,
        tol=max(training.tol, 1e-14),
        max_steps=training.max_passes,
        classes=None if classes is None else (classes[0], classes[1]),
    )
    return found, classes


def strength_of(model: Any, training: Training) -> Strength:
    """The L2 penalty as a function of the sum of weights; refuses what has no solver of many models."""
    name = type(model).__name__
    loss = training.loss
    one, two = training.penalty(1.0), training.penalty(2.0)
    plain = isinstance(one, L2 | Unpenalised) and np.ndim(getattr(one, "alpha", 0.0)) == 0
    smooth = loss.smooth and loss.convex and not isinstance(loss, JointLoss | ScaledLoss)
    if not (plain and smooth):
        raise UnsupportedCombination(
            f"{name} with fit_over: many models at once need a smooth convex loss and an L2 penalty of one "
            f"strength, or none; given were the loss {loss.name!r} and the penalty "
            f"{type(one).__name__}. Leave "
            "out bounds, positive=True and L1 penalties, or fit one cell after the other with X.isel(...)."
        )
    settings = model.get_params(deep=False)
    given = {
        "class_weight": None,
        "warm_start": False,
        "checkpoint": None,
        "certify": False,
        "solver": "auto",
    }
    for parameter, default in given.items():
        if settings.get(parameter, default) != default:
            raise UnsupportedCombination(
                f"{name}({parameter}={settings[parameter]!r}) with fit_over: only {default!r} is supported, "
                "since all cells are solved together."
            )
    first, second = (float(getattr(penalty, "alpha", 0.0)) for penalty in (one, two))
    return Strength(constant=2.0 * second - first, inverse=2.0 * (first - second))


def _keep(model: Any, training: Training, naming: Naming, found: Maps, classes: AnyArray | None) -> None:
    """Set the fitted attributes, and warn of cells that did not converge."""
    forget(model)
    if naming.names is None:
        model.__dict__.pop("feature_names_in_", None)
    else:
        model.feature_names_in_ = naming.names
    model.n_features_in_ = found.w.shape[-1]
    if classes is not None:
        model.classes_ = classes
    unit = labelled.margin_unit(naming.layout, is_identity(model, training.loss))

    def on_cells(values: AnyArray, name: str) -> xr.DataArray:
        coords = {dim: labels for dim, labels in found.coords.items() if labels is not None}
        return xr.DataArray(values, dims=list(found.coords), coords=coords, name=name)

    model.coef_ = naming.coefficients(found.w, found.coords, unit)
    model.intercept_ = on_cells(found.b, "intercept")
    if unit:
        model.intercept_.attrs["units"] = unit
    model.n_used_ = on_cells(found.used.astype(np.int64), "n_used")
    model.gap_ = on_cells(found.gap, "gap")
    squares = isinstance(training.loss, Squared)
    proof = "closed-form" if squares else "self-concordance"
    model.gap_kind_ = proof if found.proven else "estimate"
    model.n_passes_ = 1
    model.n_iter_ = np.array([found.steps], dtype=np.int32) if classes is not None else found.steps
    model.history_, model.graph_, model.decisions_ = [], None, []
    model.layout_ = naming.layout
    late = int((found.gap > training.tol).sum())
    if late:
        warnings.warn(
            f"{training.name} did not reach tol={training.tol:g} within "
            f"max_iter={training.max_passes} steps in "
            f"{late} cells, see gap_. Their classes may be separable: use a penalty.",
            ConvergenceWarning,
            stacklevel=4,
        )


def margins(model: Any, X: Any) -> xr.DataArray:
    """The margins of labelled data, lazily; see ``labelled.margins``."""
    if not labelled.is_labelled(X):
        raise TypeError(
            f"X is a {type(X).__module__}.{type(X).__name__}; {type(model).__name__} has a model for "
            "each cell, "
            "and needs an xarray DataArray or Dataset to know which one is meant."
        )
    return labelled.margins(model.layout_, model.coef_, model.intercept_, X)


def predicted_means(model: Any, loss: Loss, X: Any, dtype: Any) -> xr.DataArray:
    """Expectations, with the name and attributes of y."""
    found = labelled.elementwise(margins(model, X), partial(_mean, loss, dtype), dtype)
    return labelled.in_place_of_y(found, model.layout_)


def predicted_labels(model: Any, X: Any) -> xr.DataArray:
    """Classes, with the name and attributes of y; what is missing is NaN, or "" among strings."""
    dtype = labelled.with_missing(model.classes_.dtype)
    found = labelled.elementwise(margins(model, X), partial(_label, model.classes_, dtype), dtype)
    return labelled.in_place_of_y(found, model.layout_)


def decisions(model: Any, X: Any, dtype: Any) -> xr.DataArray:
    """Margins."""
    return margins(model, X).astype(dtype)


def probabilities(model: Any, X: Any, dtype: Any, *, log: bool) -> xr.DataArray:
    """Probabilities of the two classes on a last dim "class", or their logarithms."""
    function = partial(_log_pair if log else _pair, dtype)
    return labelled.elementwise(margins(model, X), function, dtype, outputs=model.classes_.tolist())


def score_of_means(model: Any, loss: Loss, X: Any, y: Any, sample_weight: Any) -> xr.DataArray:
    """The share of the deviance that is explained in each cell, lazily."""
    return labelled.explained(model.layout_, loss, _target(y), margins(model, X), sample_weight)


def score_of_labels(model: Any, X: Any, y: Any, sample_weight: Any) -> xr.DataArray:
    """The accuracy in each cell, lazily."""
    z = margins(model, X)
    return labelled.accuracies(model.layout_, _target(y), predicted_labels(model, X), z, sample_weight)


def _target(y: Any) -> xr.DataArray:
    if isinstance(y, xr.DataArray):
        return y
    raise TypeError(
        f"y is a {type(y).__module__}.{type(y).__name__}; a model for each cell needs an xarray DataArray to "
        "know which values belong to which cell."
    )


def _mean(loss: Loss, dtype: Any, z: FloatArray) -> AnyArray:
    return loss.mean(z).astype(dtype)


def _label(classes: AnyArray, dtype: Any, z: FloatArray) -> AnyArray:
    found = classes[(z > 0.0).astype(np.intp)].astype(dtype)
    found[np.isnan(z)] = labelled.missing_value(np.dtype(dtype))
    return np.asarray(found)


def _pair(dtype: Any, z: FloatArray) -> AnyArray:
    return np.stack([Logistic().mean(-z), Logistic().mean(z)], axis=-1).astype(dtype)


def _log_pair(dtype: Any, z: FloatArray) -> AnyArray:
    return np.stack([-np.logaddexp(0.0, z), -np.logaddexp(0.0, -z)], axis=-1).astype(dtype)
