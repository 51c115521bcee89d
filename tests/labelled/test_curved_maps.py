"""Many generalised linear models at once are those of scikit-learn, cell after cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as sk
import xarray as xr
from sklearn.exceptions import ConvergenceWarning

from daskml_dist.errors import InvalidData, NonFiniteData, UnsupportedCombination
from daskml_dist.linear_model import (
    GammaRegressor,
    GeneralizedLinearRegressor,
    LogisticRegression,
    PoissonRegressor,
    TweedieRegressor,
)
from tests.labelled.world import CHUNKS, CO2, COORDS, DIMS, GAPS, LAND, SST, T, cut, target

CELLS = ("lat", "lon")
X = xr.Dataset({"sst": SST - 280.0, "co2": (CO2 - 320.0) / 10.0})
SCALED = (target(missing=False) - 590.0) / 5.0
WET = SCALED + xr.DataArray(np.random.default_rng(6).normal(size=SCALED.shape), dims=DIMS) > 0.3
YEARS = xr.DataArray(np.random.default_rng(5).random(T) + 0.1, dims="time", coords={"time": COORDS["time"]})
PLACES = [(0, 0), (1, 3), (4, 2)]


def rows_at(place: tuple[int, int], y: xr.DataArray) -> tuple[Any, Any, Any]:
    """Features, targets and years of one cell, without what is missing."""
    cell = dict(zip(CELLS, place, strict=True))
    values = y.isel(cell).to_numpy()
    there = np.isfinite(values)
    rows = np.column_stack([X.sst.isel(cell), X.co2])
    return rows[there], values[there], YEARS.to_numpy()[there]


def cell(array: xr.DataArray, place: tuple[int, int]) -> Any:
    return array.isel(dict(zip(CELLS, place, strict=True)))


@pytest.mark.parametrize("chunks", CHUNKS[:3])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_logistic(chunks: Any, C: float) -> None:
    y = (WET * 1.0).where(~GAPS)
    model = LogisticRegression(C=C, verbose=0).fit(
        cut(X, chunks), cut(y, chunks), YEARS, fit_over=CELLS, missing="drop"
    )
    assert model.gap_kind_ == "self-concordance"
    assert float(model.gap_.max()) <= model.tol
    for place in PLACES:
        rows, labels, weights = rows_at(place, y)
        expected = sk.LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12).fit(rows, labels, weights)
        np.testing.assert_allclose(cell(model.coef_, place), expected.coef_[0], rtol=1e-6)
        np.testing.assert_allclose(
            cell(model.intercept_, place), expected.intercept_[0], rtol=1e-6, atol=1e-8
        )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (PoissonRegressor, sk.PoissonRegressor),
        (GammaRegressor, sk.GammaRegressor),
        (TweedieRegressor, sk.TweedieRegressor),
    ],
)
@pytest.mark.parametrize("intercept", [False, True])
def test_with_a_logarithmic_link(ours: Any, theirs: Any, intercept: bool) -> None:
    y = np.exp(0.3 * SCALED).where(~GAPS)
    settings: dict[str, Any] = {"alpha": 0.2, "fit_intercept": intercept}
    if ours is TweedieRegressor:
        settings |= {"power": 1.5}
    model = ours(verbose=0, **settings).fit(X.chunk(lat=4), y, YEARS, fit_over=CELLS, missing="drop")
    for place in PLACES:
        expected = theirs(solver="newton-cholesky", tol=1e-12, **settings).fit(*rows_at(place, y))
        np.testing.assert_allclose(cell(model.coef_, place), expected.coef_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(cell(model.intercept_, place), expected.intercept_, rtol=1e-6, atol=1e-9)
        predicted = cell(model.predict(X), place).to_numpy()
        np.testing.assert_allclose(
            predicted[np.isfinite(cell(y, place))], expected.predict(rows_at(place, y)[0]), rtol=1e-6
        )


def test_exposures_are_offsets() -> None:
    exposure = YEARS * (1.0 + xr.DataArray(np.arange(6.0), dims="lat", coords={"lat": COORDS["lat"]}))
    count = np.round(3.0 * exposure * np.exp(0.3 * X.sst)).transpose("time", "lat", "lon")
    model = PoissonRegressor(alpha=0.0, verbose=0).fit(X, count, offset=np.log(exposure), fit_over=CELLS)
    for place in PLACES:
        rows, values, years = rows_at(place, count)
        share = years * (1.0 + place[0])
        expected = sk.PoissonRegressor(alpha=0.0, solver="newton-cholesky", tol=1e-12).fit(
            rows, values / share, share
        )
        np.testing.assert_allclose(cell(model.coef_, place), expected.coef_, rtol=1e-5, atol=1e-7)


def test_features_that_all_cells_share() -> None:
    model = LogisticRegression(verbose=0).fit(X.co2.chunk(time=8), WET.chunk(lat=2), fit_over=CELLS)
    for place in PLACES:
        expected = sk.LogisticRegression(solver="newton-cholesky", tol=1e-12).fit(
            X.co2.to_numpy()[:, None], cell(WET, place)
        )
        np.testing.assert_allclose(cell(model.coef_, place), expected.coef_[0], rtol=1e-6, atol=1e-9)


def test_groups_of_samples() -> None:
    half = xr.DataArray(np.arange(T) % 2, dims="time", name="half")
    model = PoissonRegressor(verbose=0).fit(
        X.co2, np.exp(SCALED), fit_over=half, sample_dims=("time", "lat", "lon")
    )
    assert model.coef_.dims == ("half", "variable")
    rows = np.repeat(X.co2.to_numpy()[1::2], 30)[:, None]
    expected = sk.PoissonRegressor(solver="newton-cholesky", tol=1e-12).fit(
        rows, np.ravel(np.exp(SCALED).transpose(*DIMS)[1::2])
    )
    np.testing.assert_allclose(model.coef_.sel(half=1), expected.coef_, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize(
    ("labels", "missing"),
    [([False, True], np.nan), (["dry", "wet"], ""), ([3, 7], np.nan), ([1.0, 2.0], np.nan)],
)
def test_labels_come_back(labels: list[Any], missing: Any) -> None:
    y = xr.where(WET, labels[1], labels[0]).transpose("time", "lat", "lon").rename("rain")
    y = y.where(~LAND) if missing != missing and not isinstance(labels[0], str) else y
    y = y.assign_attrs(long_name="rain or none")
    model = LogisticRegression(verbose=0).fit(X.chunk(time=9), y, fit_over=CELLS, missing="drop")
    assert model.classes_.tolist() == labels
    labels_ = model.predict(X.chunk(time=9))
    assert (labels_.name, labels_.attrs) == ("rain", {"long_name": "rain or none"})
    assert labels_.dtype.kind == ("U" if isinstance(labels[0], str) else "f")
    chance = model.predict_proba(X)
    assert chance.dims == ("time", "lat", "lon", "class")
    assert chance["class"].values.tolist() == labels
    there = np.isfinite(model.intercept_.to_numpy())
    np.testing.assert_allclose(chance.sum("class").to_numpy()[:, there], 1.0)
    expected = np.where(chance[..., 1] > 0.5, labels[1], labels[0])
    np.testing.assert_array_equal(labels_.to_numpy()[:, there], expected[:, there])
    gone = labels_.to_numpy()[:, ~there]
    assert (gone == "").all() if missing == "" else np.isnan(gone).all()
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(chance), rtol=1e-9)
    np.testing.assert_allclose(model.decision_function(X), np.log(chance[..., 1] / chance[..., 0]), rtol=1e-6)
    score = model.score(X, y)
    right = (labels_ == y).where(y.notnull()).mean("time")
    np.testing.assert_allclose(score.to_numpy()[there], right.to_numpy()[there])


def test_a_cell_of_one_class_has_no_model() -> None:
    y = WET.copy()
    y[:, 2, 2] = True
    model = LogisticRegression(verbose=0).fit(X, y, fit_over=CELLS)
    assert np.isnan(model.coef_[2, 2]).all()
    assert int(np.isnan(model.intercept_).sum()) == 1
    assert np.isnan(model.predict_proba(X)[:, 2, 2]).all()


def test_a_separable_cell_is_warned_of() -> None:
    y = WET.copy()
    y[:, 2, 2] = X.sst[:, 2, 2] > 0.0
    with pytest.warns(ConvergenceWarning, match=r"in 1 cells, see gap_"):
        model = LogisticRegression(C=np.inf, verbose=0, max_iter=12).fit(X, y, fit_over=CELLS)
    assert (model.gap_ > model.tol).sum() == 1


def test_what_is_refused() -> None:
    with pytest.raises(InvalidData, match="of two classes in all cells together; there are 3"):
        LogisticRegression(verbose=0).fit(X, np.round(SCALED.clip(-1, 1)), fit_over=CELLS)
    with pytest.raises(InvalidData, match=r"Unknown label type: continuous.* such as 0\.5"):
        LogisticRegression(verbose=0).fit(X, WET * 0.5, fit_over=CELLS)
    with pytest.raises(UnsupportedCombination, match="an L2 penalty of one strength"):
        LogisticRegression(l1_ratio=0.5, verbose=0).fit(X, WET, fit_over=CELLS)
    with pytest.raises(UnsupportedCombination, match="an L2 penalty of one strength"):
        GeneralizedLinearRegressor(lower_bounds=0.0, verbose=0).fit(X, SCALED, fit_over=CELLS)
    with pytest.raises(UnsupportedCombination, match=r"class_weight='balanced'\) with fit_over"):
        LogisticRegression(class_weight="balanced", verbose=0).fit(X, WET, fit_over=CELLS)
    with pytest.raises(InvalidData, match="never negative"):
        PoissonRegressor(verbose=0).fit(X, SCALED, fit_over=CELLS)
    with pytest.raises(NonFiniteData, match=r"y lacks .* values.*lat=-75.0, lon=.*, time="):
        PoissonRegressor(verbose=0).fit(X, np.exp(SCALED).where(~LAND).where(~GAPS), fit_over=CELLS)
