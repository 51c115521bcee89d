"""Labelled data in the linear models: rows on the way in, names and dims on the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr
from sklearn.base import RegressorMixin

from daskml_dist import inputs, labelled
from daskml_dist.cluster import connect
from daskml_dist.errors import UnsupportedCombination
from daskml_dist.fit import Training
from daskml_dist.labelled import Asked, Layout, Naming
from daskml_dist.losses import Loss
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class Given:
    """The data of a fit as rows and columns; ``naming`` is None where they were so before."""

    X: Any
    y: Any
    sample_weight: Any = None
    offset: Any = None
    groups: Any = None
    naming: Naming | None = None

    @property
    def names(self) -> AnyArray | None:
        """The names of the features where only the labels know them."""
        return None if self.naming is None else self.naming.names


def given(
    asked: Asked | None,
    training: Training,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    offset: Any = None,
    groups: Any = None,
    *,
    counted: bool = False,
) -> Given:
    """The data of a fit; labelled ones become rows. ``counted``: their number must be known."""
    if asked is None or not asked.given:
        return Given(X, y, sample_weight, offset, groups)
    parts = {"y": y, "sample_weight": sample_weight, "offset": offset, "groups": groups}
    data = labelled.matched(asked, X, parts)
    rows = labelled.rows_of(data)
    if rows.counts is not None and (counted or rows.large):
        hands = connect(training.scheduler, lazy=True, patience=training.patience)
        try:
            rows = labelled.with_counts(rows, hands.evaluate(rows.counts))
        finally:
            hands.close()
    return Given(X=rows.X, **rows.parts, naming=labelled.naming_of(data))


def features_in(asked: Asked, X: Any, y: Any) -> int:
    """How many features X has."""
    if not asked.given:
        return inputs.features_of(X)[0]
    return labelled.matched(asked, X, {"y": y}).n_features


def scored(model: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """X, y and weights as rows, where a model that knows dims is scored on labelled data."""
    layout = layout_of(model)
    if layout is None or not labelled.is_labelled(X):
        return X, y, sample_weight
    if layout.variables is not None and isinstance(X, xr.Dataset):
        X = X[[name for name in layout.variables if name in X.data_vars]]
    dims = tuple(y.dims) if isinstance(y, xr.DataArray) else layout.sample_dims
    asked = Asked(dims, layout.feature_dims, layout.missing)
    data = labelled.matched(asked, X, {"y": y, "sample_weight": sample_weight})
    rows = labelled.rows_of(data)
    return rows.X, rows.parts["y"], rows.parts.get("sample_weight")


def layout_of(model: Any) -> Layout | None:
    """The dims that a fitted model knows; None of one that was fitted to rows."""
    found: Layout | None = vars(model).get("layout_")
    return found


def forget(model: Any) -> None:
    """Drop what an earlier fit has learned of labels."""
    for name in ("layout_", "n_used_", "_naming"):
        model.__dict__.pop(name, None)


def label(model: Any, naming: Naming, *, used: int, identity: bool) -> None:
    """Give names to the coefficients of a fitted model."""
    layout = naming.layout
    unit = labelled.margin_unit(layout, identity)
    classes = vars(model).get("classes_")
    coef, intercept = model.coef_, model.intercept_
    outer: dict[str, Any] = {}
    if coef.ndim == 2:
        outer = {"class": classes[1:] if len(coef) == 1 else classes}
    model.coef_ = naming.coefficients(coef, outer, unit)
    model.coef_.attrs["n_samples"] = used
    if np.ndim(intercept) == 1 and outer:
        model.intercept_ = xr.DataArray(intercept, coords=outer, dims=list(outer), name="intercept")
    model.layout_ = layout
    model.n_used_ = used


def is_identity(model: Any, loss: Loss) -> bool:
    """Whether margins are predictions, in the units of y."""
    some = np.array([-1.0, 0.5])
    return isinstance(model, RegressorMixin) and np.array_equal(loss.mean(some), some)


def one_model(model: Any, asked: Asked) -> Asked:
    """What was asked of a model that is fitted once, and not in each cell.

    Raises
    ------
    UnsupportedCombination
        A model for each cell was asked for.
    """
    if asked.fit_over is not None:
        raise UnsupportedCombination(
            f"{type(model).__name__} does not know fit_over={_shown(asked.fit_over)}: many models at "
            "once are "
            "fitted by LinearRegression and Ridge, and by LogisticRegression, PoissonRegressor, "
            "GammaRegressor, TweedieRegressor and GeneralizedLinearRegressor with an L2 penalty. Use one of "
            "them, or fit one cell after the other with X.isel(...)."
        )
    return asked


def is_mapped(model: Any) -> bool:
    """Whether a fitted model is one for each cell."""
    layout = layout_of(model)
    return layout is not None and layout.mapped


def _shown(fit_over: Any) -> str:
    """A parameter in a message; a DataArray by its name."""
    return f"a DataArray {fit_over.name!r}" if isinstance(fit_over, xr.DataArray) else repr(fit_over)
