"""Every linear model takes labelled data, and is then the model of the rows that they hold."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import xarray as xr

from daskml_dist import linear_model
from daskml_dist.errors import UnsupportedCombination
from tests.labelled.world import CO2, DIMS, HEIGHT, SST, column, table, target

ROWS = table((SST - 280.0), HEIGHT, (CO2 - 320.0) / 10.0)
DATA = xr.Dataset({"sst": SST - 280.0, "height": HEIGHT, "co2": (CO2 - 320.0) / 10.0})
Y = (target(missing=False) - 590.0) / 5.0
MAPS = {
    "GammaRegressor",
    "GeneralizedLinearRegressor",
    "LinearRegression",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "TweedieRegressor",
}
NAMES = sorted(linear_model.__all__)


def made(name: str) -> tuple[Any, xr.DataArray, dict[str, Any]]:
    """A model, its target, and what else its fit needs."""
    cls = getattr(linear_model, name)
    settings: dict[str, Any] = {"verbose": 0}
    if "max_iter" in inspect.signature(cls).parameters:
        settings["max_iter"] = 30 if name.startswith("SGD") else 300
    if name in ("GammaRegressor", "PoissonRegressor", "TweedieRegressor"):
        return cls(**settings), np.exp(0.3 * Y), {}
    if name in ("LogisticRegressionCV",):
        settings |= {"Cs": 2, "cv": 3}
    if "Class" in name or "SVC" in name or "Logistic" in name:
        y = Y > Y.mean()
    else:
        y = Y
    groups = xr.DataArray(np.arange(len(Y.lat)) % 2, dims="lat", coords={"lat": Y.lat})
    return cls(**settings), y, {"groups": groups} if name.startswith("Minimax") else {}


@pytest.mark.thinned(2)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_is_the_model_of_the_rows(name: str) -> None:
    model, y, rest = made(name)
    model.fit(DATA, y, sample_dims=DIMS, **rest)
    rows, _, _ = made(name)
    rows.fit(ROWS, column(y), **{key: column(value) for key, value in rest.items()})
    np.testing.assert_allclose(np.asarray(model.coef_), rows.coef_, rtol=1e-9, atol=1e-12)
    assert model.coef_.dims[-1] == "variable"
    assert model.n_used_ == len(ROWS)
    predicted = model.predict(DATA)
    assert set(predicted.dims) == set(DIMS)
    np.testing.assert_array_equal(column(predicted), rows.predict(ROWS))
    assert model.score(DATA, y) == pytest.approx(rows.score(ROWS, column(y)))


@pytest.mark.parametrize("name", sorted(set(NAMES) - MAPS))
def test_a_model_for_each_cell_is_refused_by_name(name: str) -> None:
    model, y, rest = made(name)
    with pytest.raises(UnsupportedCombination, match=rf"{name} does not know fit_over=\('lat',\)"):
        model.fit(DATA, y, fit_over=("lat",), **rest)


@pytest.mark.parametrize("name", sorted(MAPS))
def test_a_model_for_each_cell(name: str) -> None:
    model, y, _ = made(name)
    model.fit(DATA, y, fit_over=("lat",))
    assert model.coef_.dims == ("lat", "variable")
    assert model.intercept_.dims == model.gap_.dims == model.n_used_.dims == ("lat",)
    alone, _, _ = made(name)
    alone.fit(DATA.isel(lat=2), y.isel(lat=2), sample_dims=("time", "lon"))
    np.testing.assert_allclose(
        model.coef_.isel(lat=2), np.ravel(alone.coef_), rtol=1e-4 if name != "Ridge" else 1e-9, atol=1e-5
    )
    np.testing.assert_allclose(model.predict(DATA).isel(lat=2), alone.predict(DATA.isel(lat=2)), rtol=1e-4)
