"""Many least squares at once are those of a loop over the cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import sklearn.linear_model as sk
import xarray as xr

from daskml_dist.errors import InvalidData, NonFiniteData, UnsupportedCombination
from daskml_dist.linear_model import LinearRegression, Ridge
from daskml_dist.saving import load, save
from daskml_dist.types import AnyArray
from tests.labelled.world import AREA, CHUNKS, CO2, COORDS, DIMS, LAT, LON, SST, T, cut, target

CELLS = ("lat", "lon")
BOTH = xr.Dataset({"sst": SST, "co2": CO2})
YEARS = xr.DataArray(np.random.default_rng(5).random(T), dims="time", coords={"time": COORDS["time"]})


def loop(columns: list[xr.DataArray], y: xr.DataArray, weight: Any = None) -> AnyArray:
    """(lat, lon, p + 1) by NumPy, cell after cell: coefficients, and the intercept."""
    found = np.full((LAT, LON, len(columns) + 1), np.nan)
    wide = [one.broadcast_like(SST).transpose(*DIMS).to_numpy() for one in columns]
    roots = np.ones(SST.shape) if weight is None else np.sqrt(weight.broadcast_like(SST).transpose(*DIMS))
    for place in np.ndindex(LAT, LON):
        at = (slice(None), *place)
        rows = np.column_stack([*(one[at] for one in wide), np.ones(T)])
        there = ~np.isnan(y.to_numpy()[at])
        if there.any():
            root = np.asarray(roots)[at][there]
            right = y.to_numpy()[at][there] * root
            found[place] = np.linalg.lstsq(rows[there] * root[:, None], right, rcond=None)[0]
    return found


def assert_same(model: Any, expected: AnyArray, tol: float = 1e-10) -> None:
    np.testing.assert_allclose(model.coef_, expected[..., :-1], atol=tol, rtol=tol)
    np.testing.assert_allclose(model.intercept_, expected[..., -1], atol=1e3 * tol, rtol=tol)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_it_is_the_loop_over_the_cells(chunks: Any, missing: bool, shared: bool) -> None:
    y = target(missing=missing)
    X = CO2 if shared else BOTH
    columns = [CO2] if shared else [SST, CO2]
    model = LinearRegression(verbose=0).fit(
        cut(X, chunks), cut(y, chunks), fit_over=CELLS, missing="drop" if missing else "raise"
    )
    assert_same(model, loop(columns, y))
    np.testing.assert_array_equal(model.n_used_, np.isfinite(y).sum("time"))
    assert (model.gap_kind_, model.n_passes_) == ("closed-form", 1)


@pytest.mark.parametrize("weight", [YEARS, YEARS * SST / 300.0, AREA * YEARS])
def test_weights_of_samples_and_of_cells(weight: xr.DataArray) -> None:
    y = target(missing=True)
    for X, columns in ((CO2, [CO2]), (BOTH, [SST, CO2])):
        model = LinearRegression(verbose=0).fit(X.chunk(time=11), y, weight, fit_over=CELLS, missing="drop")
        assert_same(model, loop(columns, y, weight))


def test_on_both_backends(backend: str) -> None:
    y = target(missing=True)
    chunks = {"time": 17, "lat": 4}
    model = LinearRegression(verbose=0).fit(cut(BOTH, chunks), cut(y, chunks), fit_over=CELLS, missing="drop")
    assert_same(model, loop([SST, CO2], y))
    predicted = model.predict(cut(BOTH, chunks))
    expected = (model.coef_ * BOTH.to_dataarray()).sum("variable", skipna=False) + model.intercept_
    xr.testing.assert_allclose(
        predicted.compute(), expected.transpose(*DIMS).rename("tas").drop_vars("units", errors="ignore")
    )


@pytest.mark.parametrize("alpha", [0.3, 20.0])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("X", [CO2, SST, BOTH], ids=["shared", "own", "both"])
def test_ridge(alpha: float, intercept: bool, X: Any) -> None:
    y = target(missing=True)
    model = Ridge(alpha=alpha, fit_intercept=intercept, verbose=0).fit(
        X.chunk(time=15), y, YEARS, fit_over=CELLS, missing="drop"
    )
    columns = [X] if isinstance(X, xr.DataArray) else [SST, CO2]
    for place in [(0, 1), (3, 2), (5, 4)]:
        cell = dict(zip(CELLS, place, strict=True))
        target_here = y.isel(cell).to_numpy()
        there = ~np.isnan(target_here)
        rows = np.column_stack([one.isel(cell, missing_dims="ignore") for one in columns])[there]
        if not there.any():
            assert np.isnan(model.coef_.isel(cell)).all()
            continue
        expected = sk.Ridge(alpha=alpha, fit_intercept=intercept, solver="svd", tol=1e-14).fit(
            rows, target_here[there], YEARS.to_numpy()[there]
        )
        np.testing.assert_allclose(model.coef_.isel(cell), expected.coef_, rtol=1e-8)
        np.testing.assert_allclose(model.intercept_.isel(cell), expected.intercept_, rtol=1e-8)


def close_features(degree: int) -> xr.Dataset:
    """Powers of the year: their correlation is 1 - 1e-5, and worse."""
    years = xr.DataArray(1860.0 + np.arange(T), dims="time", coords={"time": COORDS["time"]})
    return xr.Dataset({f"power_{i}": years**i for i in range(1, degree + 1)})


@pytest.mark.parametrize("missing", [False, True])
def test_features_that_are_nearly_the_same(missing: bool) -> None:
    X = close_features(2)
    y = target(missing=missing)
    model = LinearRegression(verbose=0).fit(X.chunk(time=13), y, fit_over=CELLS, missing="drop")
    own = X.broadcast_like(SST)  # the same features, as if they were of the cells
    other = LinearRegression(verbose=0).fit(own.chunk(time=13), y, fit_over=CELLS, missing="drop")
    years = np.arange(T) - T / 2.0
    for place in np.ndindex(LAT, LON):
        at = y.to_numpy()[(slice(None), *place)]
        there = ~np.isnan(at)
        if there.sum() < 4:
            continue
        # the same parabola in a coordinate in which it is well-conditioned
        c = np.linalg.lstsq(np.stack([years**2, years, np.ones(T)], axis=1)[there], at[there], rcond=None)[0]
        middle = 1860.0 + T / 2.0
        expected = [c[1] - 2.0 * middle * c[0], c[0]]
        cell = dict(zip(CELLS, place, strict=True))
        np.testing.assert_allclose(model.coef_.isel(cell), expected, rtol=1e-8, atol=1e-8 * abs(c[1]))
        np.testing.assert_allclose(other.coef_.isel(cell), expected, rtol=1e-8, atol=1e-8 * abs(c[1]))


@pytest.mark.parametrize("own", [False, True])
def test_features_that_are_the_same(own: bool) -> None:
    """Of several solutions the one of the least norm, as scikit-learn's."""
    X = xr.Dataset({"a": CO2, "b": 2.0 * CO2, "flat": xr.full_like(CO2, 3.3)})
    X = X.broadcast_like(SST) if own else X
    y = target(missing=False)
    model = LinearRegression(verbose=0).fit(X.chunk(time=9), y, fit_over=CELLS)
    rows = np.column_stack([CO2, 2.0 * CO2, np.full(T, 3.3)])
    expected = sk.LinearRegression().fit(rows, y.to_numpy().reshape(T, -1))
    np.testing.assert_allclose(model.coef_.values.reshape(-1, 3), expected.coef_, rtol=1e-8, atol=1e-12)


def test_cells_with_fewer_samples_than_features() -> None:
    y = target(missing=False)
    y = y.where((y.time < 1982) | (y.lat > 0.0))
    model = LinearRegression(verbose=0).fit(BOTH.chunk(time=1), y, fit_over=CELLS, missing="drop")
    rows = np.column_stack([SST[:2, 0, 0], CO2[:2]])
    expected = sk.LinearRegression().fit(rows, y[:2, 0, 0])
    np.testing.assert_allclose(model.coef_[0, 0], expected.coef_, rtol=1e-8)
    assert (model.n_used_ == xr.where(model.n_used_.lat > 0.0, T, 2)).all()


def test_predictions_have_the_dims_chunks_and_names_of_the_data() -> None:
    y = target(missing=True)
    model = LinearRegression(verbose=0).fit(CO2, y.chunk(time=13, lat=4), fit_over=CELLS, missing="drop")
    assert model.coef_.dims == ("lat", "lon", "variable")
    assert model.coef_.attrs["units"] == "degC per ppm"
    assert model.intercept_.attrs["units"] == "degC"
    found = model.predict(CO2.chunk(time=13))
    assert isinstance(found.data, da.Array)
    assert (found.dims, found.chunks) == (DIMS, y.chunk(time=13, lat=4).chunks)
    assert (found.name, found.attrs) == ("tas", y.attrs)
    xr.testing.assert_equal(found.coords.to_dataset(), y.coords.to_dataset())
    assert np.isnan(found.where(model.intercept_.isnull(), drop=True)).all()
    loaded = LinearRegression(verbose=0).fit(CO2, y, fit_over=CELLS, missing="drop").predict(CO2)
    assert loaded.chunks is None
    xr.testing.assert_allclose(loaded, found.compute())


def test_a_part_of_the_cells_finds_its_models() -> None:
    y = target(missing=False)
    model = LinearRegression(verbose=0).fit(BOTH, y, fit_over=CELLS)
    part = BOTH.isel(lat=[4, 1], time=slice(3))
    xr.testing.assert_allclose(model.predict(part), model.predict(BOTH).isel(lat=[4, 1], time=slice(3)))
    with pytest.raises(InvalidData, match=r"label 1\.0 on dim 'lat', for which no model was fitted"):
        model.predict(part.assign_coords(lat=[1.0, 2.0]))


@pytest.mark.parametrize("lazy", [False, True])
def test_a_score_for_each_cell(lazy: bool) -> None:
    y = target(missing=True)
    model = LinearRegression(verbose=0).fit(BOTH, y, fit_over=CELLS, missing="drop")
    chunks = {"time": 9} if lazy else None
    scores = model.score(cut(BOTH, chunks), cut(y, chunks), YEARS)
    assert (scores.dims, isinstance(scores.data, da.Array)) == (CELLS, lazy)
    for place in [(0, 0), (2, 3), (4, 4)]:
        cell = dict(zip(CELLS, place, strict=True))
        alone = y.isel(cell)
        there = alone.notnull().to_numpy()
        if there.any():
            predicted = model.predict(BOTH).isel(cell)
            expected = sk.LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
            truth = expected.score(
                predicted.to_numpy()[there, None], alone.to_numpy()[there], YEARS.to_numpy()[there]
            )
            np.testing.assert_allclose(scores.isel(cell), truth, rtol=1e-8)
        else:
            assert np.isnan(scores.isel(cell))


SEASON = xr.DataArray(np.array(["djf", "mam", "jja"])[np.arange(T) % 3], dims="time", name="season")


@pytest.mark.parametrize("how", ["labels", "coordinate", "lazy coordinate"])
def test_a_model_for_each_group(how: str) -> None:
    y = target(missing=True).assign_coords(season=SEASON)
    given: Any = SEASON if how == "labels" else "season"
    data = y.chunk(time=7) if how == "lazy coordinate" else y
    model = LinearRegression(verbose=0).fit(BOTH, data, fit_over=given, sample_dims=DIMS, missing="drop")
    assert model.coef_.dims == ("season", "variable")
    for name in ("djf", "jja", "mam"):
        chosen = (SEASON == name).to_numpy()
        rows = np.column_stack([np.ravel(SST[chosen]), np.repeat(CO2.to_numpy()[chosen], LAT * LON)])
        right = np.ravel(y[chosen])
        there = ~np.isnan(right)
        expected = sk.LinearRegression().fit(rows[there], right[there])
        np.testing.assert_allclose(model.coef_.sel(season=name), expected.coef_, rtol=1e-9)
        assert model.n_used_.sel(season=name) == there.sum()
    labelled = BOTH.assign_coords(season=SEASON)
    found = model.predict(labelled.chunk(time=7))
    at = {"time": 4, "lat": 2, "lon": 1}
    coef = model.coef_.sel(season="mam")
    expected_one = coef[0] * SST.isel(at) + coef[1] * CO2[4] + model.intercept_.sel(season="mam")
    np.testing.assert_allclose(found.isel(at), expected_one)


def test_groups_and_cells() -> None:
    y = target(missing=False).assign_coords(season=SEASON)
    model = LinearRegression(verbose=0).fit(CO2.chunk(time=5), y, fit_over=("season", "lon", "lat"))
    assert model.coef_.dims == ("season", "lat", "lon", "variable")
    one = LinearRegression(verbose=0).fit(CO2[::3], y[::3], fit_over=CELLS)
    np.testing.assert_allclose(model.coef_.sel(season="djf"), one.coef_, rtol=1e-10)
    shifted = CO2.assign_coords(season=SEASON.copy(data=["djf"] * T))
    xr.testing.assert_allclose(
        model.predict(shifted).drop_vars("season").isel(time=slice(3)),
        one.predict(CO2).drop_vars("season", errors="ignore").isel(time=slice(3)),
    )
    with pytest.raises(InvalidData, match=r"no coordinate 'season'.*X\.assign_coords"):
        model.predict(CO2)
    with pytest.raises(InvalidData, match="the group son on 'season', for which no model was fitted"):
        model.predict(CO2.assign_coords(season=SEASON.copy(data=["son"] * T)))
    with pytest.raises(UnsupportedCombination, match="score does not know models of groups"):
        model.score(CO2.assign_coords(season=SEASON), y)


def test_labels_survive_saving(tmp_path: Path) -> None:
    model = LinearRegression(verbose=0).fit(BOTH, target(missing=True), fit_over=CELLS, missing="drop")
    save(model, str(tmp_path / "model"))
    xr.testing.assert_identical(load(str(tmp_path / "model")).predict(BOTH), model.predict(BOTH))


def test_what_is_missing_is_named() -> None:
    y = target(missing=False)
    y[5, 2, 3] = np.nan
    for data in (y, y.chunk(time=4, lon=2)):
        with pytest.raises(NonFiniteData, match=r"y lacks 1 values.*lat=-15.0, lon=180.0, time=1985.*'drop'"):
            LinearRegression(verbose=0).fit(BOTH, data, fit_over=CELLS)
        with pytest.raises(NonFiniteData, match=r"y lacks 1 values.*lat=-15.0, lon=180.0, time=1985.*'drop'"):
            LinearRegression(verbose=0).fit(CO2, data, fit_over=CELLS)
    with pytest.raises(NonFiniteData, match=r"co2 lacks 1 values.* at time=1982\. Use"):
        LinearRegression(verbose=0).fit(CO2.where(CO2.time != 1982), target(missing=False), fit_over=CELLS)


def test_infinity_is_refused() -> None:
    y = target(missing=False)
    y[5, 2, 3] = np.inf
    for X in (CO2, BOTH):
        with pytest.raises(NonFiniteData, match="infinity"):
            LinearRegression(verbose=0).fit(X, y, fit_over=CELLS, missing="drop")


def test_what_there_is_no_solver_for() -> None:
    y = target(missing=False)
    with pytest.raises(UnsupportedCombination, match="smooth convex loss and an L2 penalty"):
        LinearRegression(positive=True, verbose=0).fit(BOTH, y, fit_over=CELLS)
    with pytest.raises(UnsupportedCombination, match=r"Ridge\(solver='newton'\) with fit_over"):
        Ridge(solver="newton", verbose=0).fit(BOTH, y, fit_over=CELLS)
    with pytest.raises(InvalidData, match="Weights of models of cells must be >= 0"):
        LinearRegression(verbose=0).fit(BOTH, y, -AREA, fit_over=CELLS)
    model = LinearRegression(verbose=0).fit(BOTH, y, fit_over=CELLS)
    with pytest.raises(TypeError, match="has a model for each cell"):
        model.predict(np.ones((3, 2)))


def test_the_temperature_of_north_america(shared_data: Path) -> None:
    """240 years x 37 x 49 cells of float32, opened in chunks of the file and in memory."""
    path = shared_data / "north-america-temperature" / "A1B_north_america.nc"
    with xr.open_dataset(path, decode_times=False, chunks={}) as data:
        y = data.air_temperature.chunk(time=50, latitude=20)
        assert y.shape == (240, 37, 49)
        years = xr.DataArray(np.arange(240.0), dims="time", coords={"time": y.time}, name="year")
        X = xr.Dataset({"year": years, "square": years**2})
        rows = np.column_stack([X.year, X.square, np.ones(240)])
        values = y.to_numpy().astype(np.float64).reshape(240, -1)
        expected = np.stack(
            [np.linalg.lstsq(rows, values[:, c], rcond=None)[0] for c in range(values.shape[1])]
        )
        for given in (y, y.load()):
            model = LinearRegression(verbose=0).fit(X, given, fit_over=("latitude", "longitude"))
            coef = model.coef_.to_numpy().reshape(-1, 2)
            np.testing.assert_allclose(coef, expected[:, :2], rtol=1e-10, atol=1e-10)
            np.testing.assert_allclose(np.ravel(model.intercept_), expected[:, 2], rtol=1e-10)
