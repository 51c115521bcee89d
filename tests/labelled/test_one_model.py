"""One model over several dims is that of the rows that one would have stacked by hand."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import sklearn.linear_model as sk
import xarray as xr

from daskml_dist.linear_model import LinearRegression, LogisticRegression, Ridge
from daskml_dist.saving import load, save
from tests.labelled.world import (
    AREA,
    CHUNKS,
    CO2,
    COORDS,
    DIMS,
    HEIGHT,
    LAND,
    SST,
    WORLD,
    column,
    cut,
    table,
    target,
)

ROWS = table(SST, HEIGHT, CO2)


def by_hand(y: xr.DataArray, weight: Any = None) -> sk.LinearRegression:
    there = ~np.isnan(column(y))
    weights = None if weight is None else column(weight)[there]
    return sk.LinearRegression().fit(ROWS[there], column(y)[there], weights)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("missing", [False, True])
def test_it_is_the_model_of_stacked_rows(chunks: Any, missing: bool) -> None:
    y = target(missing=missing)
    model = LinearRegression(verbose=0).fit(
        cut(WORLD, chunks), cut(y, chunks), sample_dims=DIMS, missing="drop" if missing else "raise"
    )
    expected = by_hand(y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-9)
    assert model.n_used_ == model.coef_.attrs["n_samples"] == np.isfinite(column(y)).sum()


def test_on_both_backends(backend: str) -> None:
    y = target(missing=True)
    chunks = {"time": 11, "lat": 4}
    model = LinearRegression(verbose=0).fit(
        cut(WORLD, chunks), cut(y, chunks), AREA, sample_dims=DIMS, missing="drop"
    )
    expected = by_hand(y, AREA)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
    there = ~np.isnan(column(y))
    score = expected.score(ROWS[there], column(y)[there], column(AREA)[there])
    assert model.score(cut(WORLD, chunks), cut(y, chunks), AREA) == pytest.approx(score, rel=1e-9)
    np.testing.assert_allclose(column(model.predict(cut(WORLD, chunks))), expected.predict(ROWS), rtol=1e-10)


@pytest.mark.parametrize("weight", [None, 2.0, AREA, AREA * CO2, LAND * 1.0])
def test_weights_lie_on_some_of_the_dims(weight: Any) -> None:
    y = target(missing=False)
    model = Ridge(alpha=3.0, verbose=0).fit(cut(WORLD, {"time": 9}), y, weight, sample_dims=DIMS)
    given = 1.0 if weight is None else weight
    weights = column(given) if isinstance(given, xr.DataArray) else np.full(len(ROWS), given)
    expected = sk.Ridge(alpha=3.0).fit(ROWS, column(y), weights)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-8)


def test_chunks_of_x_y_and_weights_need_not_agree() -> None:
    y = target(missing=True)
    model = LinearRegression(verbose=0).fit(
        WORLD.chunk(time=7, lon=2), y.chunk(lat=1), AREA.chunk(lat=4), sample_dims=DIMS, missing="drop"
    )
    np.testing.assert_allclose(model.coef_, by_hand(y, AREA).coef_, rtol=1e-10)


def test_a_block_without_any_sample_costs_no_nan() -> None:
    y = target(missing=False).where(SST.lat > 0.0)
    model = LinearRegression(verbose=0).fit(WORLD.chunk(lat=1), y, sample_dims=DIMS, missing="drop")
    np.testing.assert_allclose(model.coef_, by_hand(y).coef_, rtol=1e-10)
    assert model.n_used_ == y.size // 2


def test_what_is_missing_in_a_feature_or_weight_is_left_out() -> None:
    y = target(missing=False)
    world = WORLD.assign(height=HEIGHT.where(HEIGHT > -0.5))
    weight = AREA.where(AREA > 0.3)
    model = LinearRegression(verbose=0).fit(world, y, weight, sample_dims=DIMS, missing="drop")
    there = y.where(world.height.notnull() & weight.notnull())
    np.testing.assert_allclose(model.coef_, by_hand(there, AREA).coef_, rtol=1e-10)


def test_coefficients_have_names_and_units() -> None:
    coef = LinearRegression(verbose=0).fit(WORLD, target(missing=False), sample_dims=DIMS).coef_
    assert coef.dims == ("variable",)
    assert coef["variable"].values.tolist() == ["sst", "height", "co2"]
    assert coef.units.values.tolist() == ["degC per K", "degC per m", "degC per ppm"]
    single = LinearRegression(verbose=0).fit(SST, target(missing=False), sample_dims=DIMS)
    assert single.coef_.attrs["units"] == "degC per K"
    assert single.feature_names_in_.tolist() == ["sst"]


def several_dims() -> xr.DataArray:
    values = np.random.default_rng(3).normal(size=(*SST.shape, 2, 3))
    coords = COORDS | {"band": ["red", "blue"], "lag": [0, 1, 2]}
    return xr.DataArray(values, dims=(*DIMS, "band", "lag"), coords=coords, name="r", attrs={"units": "1"})


def test_several_feature_dims_are_an_index_of_several_levels() -> None:
    X, y = several_dims(), target(missing=False)
    model = LinearRegression(verbose=0).fit(
        X.chunk(time=8, band=1), y, sample_dims=DIMS, feature_dims=("band", "lag")
    )
    expected = sk.LinearRegression().fit(X.to_numpy().reshape(-1, 6), column(y)).coef_
    np.testing.assert_allclose(model.coef_, expected, atol=1e-12)
    assert model.coef_.attrs["units"] == "degC"
    unstacked = model.coef_.unstack()
    np.testing.assert_array_equal(unstacked.transpose("band", "lag"), model.coef_.values.reshape(2, 3))
    np.testing.assert_array_equal(unstacked.lag, X.lag)
    other = X.transpose("lag", "lon", "time", "band", "lat").chunk(lon=2, lag=1)
    found = model.predict(other)
    assert found.dims == ("lon", "time", "lat")
    np.testing.assert_allclose(column(found), column(model.predict(X)), rtol=1e-12)


def test_variables_with_feature_dims() -> None:
    X = several_dims().isel(lag=0, drop=True)
    data = xr.Dataset({"a": X, "b": X**2})
    model = LinearRegression(verbose=0).fit(
        data, target(missing=False), sample_dims=DIMS, feature_dims="band"
    )
    rows = np.concatenate([data.a.to_numpy().reshape(-1, 2), data.b.to_numpy().reshape(-1, 2)], axis=1)
    expected = sk.LinearRegression().fit(rows, column(target(missing=False)))
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-12)
    assert model.coef_.unstack().sel(variable="b", band="blue") == pytest.approx(expected.coef_[3])


def test_classes_have_a_dim() -> None:
    y = target(missing=False)
    kinds = xr.where(y > y.quantile(0.7), "hot", xr.where(y > y.quantile(0.3), "mild", "cold"))
    model = LogisticRegression(verbose=0, tol=1e-11).fit(WORLD.chunk(time=9), kinds, sample_dims=DIMS)
    assert model.coef_.dims == ("class", "variable")
    assert model.coef_["class"].values.tolist() == model.classes_.tolist() == ["cold", "hot", "mild"]
    expected = sk.LogisticRegression(tol=1e-12, solver="newton-cholesky").fit(ROWS, column(kinds))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-4)


def test_a_warm_start_begins_at_labelled_coefficients() -> None:
    hot = target(missing=False) > target(missing=False).median()
    model = LogisticRegression(verbose=0, warm_start=True, tol=1e-9).fit(WORLD, hot, sample_dims=DIMS)
    first = model.n_passes_
    model.fit(WORLD, hot, sample_dims=DIMS)
    assert model.n_passes_ < first
    assert model.coef_.dims == ("class", "variable")


def test_a_later_fit_to_rows_forgets_the_labels() -> None:
    model = LinearRegression(verbose=0).fit(WORLD, target(missing=False), sample_dims=DIMS)
    model.fit(ROWS, column(target(missing=False)))
    assert isinstance(model.coef_, np.ndarray)
    assert "layout_" not in vars(model)
    assert "n_used_" not in vars(model)


def test_rows_without_labels_can_be_predicted() -> None:
    model = LinearRegression(verbose=0).fit(WORLD, target(missing=False), sample_dims=DIMS)
    np.testing.assert_allclose(model.predict(ROWS), column(model.predict(WORLD)), rtol=1e-12)
    lazy = model.predict(da.from_array(ROWS, chunks=(100, 3)))
    np.testing.assert_allclose(lazy, model.predict(ROWS), rtol=1e-12)


@pytest.mark.parametrize("how", ["saved", "pickled"])
def test_labels_survive(how: str, tmp_path: Path) -> None:
    X = several_dims()
    model = LinearRegression(verbose=0).fit(X, target(missing=True), sample_dims=DIMS, missing="drop")
    if how == "saved":
        save(model, str(tmp_path / "model"))
        back = load(str(tmp_path / "model"))
    else:
        back = pickle.loads(pickle.dumps(model))
    xr.testing.assert_identical(back.coef_, model.coef_)
    assert back.layout_ == model.layout_
    xr.testing.assert_identical(back.predict(X), model.predict(X))


def test_large_data_are_counted_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.labelled._rows.COUNTED", 0)
    monkeypatch.setattr("daskml_dist.cluster.in_process.process_limit", lambda: 1000)
    y = target(missing=True)
    model = LinearRegression(verbose=0).fit(WORLD.chunk(time=9), y, sample_dims=DIMS, missing="drop")
    np.testing.assert_allclose(model.coef_, by_hand(y).coef_, rtol=1e-10)
