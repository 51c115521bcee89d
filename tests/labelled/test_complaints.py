"""What does not fit together is refused, by the names of dims and labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from daskml_dist.errors import ChunkMismatch, InvalidData, NonFiniteData, UnsupportedParameter
from daskml_dist.linear_model import LinearRegression, PoissonRegressor
from tests.labelled.world import AREA, CO2, DIMS, SST, WORLD, target

Y = target(missing=False)


def fit(X: Any, y: Any, weight: Any = None, **asked: Any) -> Callable[[], Any]:
    return lambda: LinearRegression(verbose=0).fit(X, y, weight, **asked)


@pytest.mark.parametrize(
    ("work", "error", "told"),
    [
        (
            fit(WORLD, Y, sample_dims=("time", "lats", "lon")),
            InvalidData,
            r"\['lats'\], which y does not have: .*'lat'",
        ),
        (
            fit(WORLD, Y, sample_dims=("time", "lat")),
            InvalidData,
            r"\['lon'\] are not among .*fit_over for a model of",
        ),
        (fit(WORLD, Y, sample_dims=("time", "time")), UnsupportedParameter, "a tuple of different names"),
        (
            fit(WORLD, Y, fit_over=("lat", Y)),
            UnsupportedParameter,
            r"fit_over has str, DataArray; .*assign_coords",
        ),
        (
            fit(SST, Y, sample_dims=DIMS, feature_dims="lat"),
            InvalidData,
            r"feature_dims='lat' has \['lat'\], along which samples",
        ),
        (fit(WORLD, Y, sample_dims=3), UnsupportedParameter, "expected the name of a dim"),
        (
            fit(WORLD, Y, sample_dims=DIMS, feature_dims="band"),
            InvalidData,
            r"'band'\], which variable 'sst' of X",
        ),
        (fit(WORLD, Y, sample_dims=DIMS, missing="skip"), UnsupportedParameter, "expected 'raise' or 'drop'"),
        (fit(WORLD, Y, missing="drop"), UnsupportedParameter, "missing='drop' was given without sample_dims"),
        (
            fit(WORLD, Y.to_numpy(), sample_dims=DIMS),
            TypeError,
            "y is a numpy.ndarray; .* DataArray is expected",
        ),
        (fit(WORLD, None, sample_dims=DIMS), TypeError, "y is a builtins.NoneType"),
        (
            fit(SST.to_numpy(), Y, sample_dims=DIMS),
            TypeError,
            "X is a numpy.ndarray; sample_dims, .* are for",
        ),
        (fit(xr.Dataset(), Y, sample_dims=DIMS), InvalidData, "a Dataset without variables"),
        (fit(SST.astype(str), Y, sample_dims=DIMS), InvalidData, "real numbers are expected"),
        (fit(WORLD, Y, AREA.to_numpy(), sample_dims=DIMS), TypeError, "sample_weight is a numpy.ndarray"),
        (
            fit(WORLD, Y, AREA.rename(lat="y"), sample_dims=DIMS),
            InvalidData,
            r"sample_weight has the dims \('y',\)",
        ),
        (
            fit(WORLD, Y.isel(lat=slice(3)), sample_dims=DIMS),
            InvalidData,
            "6 labels on dim 'lat' and y has 3",
        ),
        (
            fit(WORLD, Y.assign_coords(lon=Y.lon + (Y.lon > 100.0)), sample_dims=DIMS),
            ChunkMismatch,
            r"X and y have different labels on dim 'lon': .* number 2, 120.0 and 121.0\. .*join='inner'",
        ),
        (
            fit(WORLD, Y, AREA.assign_coords(lat=-AREA.lat), sample_dims=DIMS),
            ChunkMismatch,
            "X and sample_weight have different labels on dim 'lat'",
        ),
        (
            fit(WORLD, Y, fit_over="height"),
            InvalidData,
            "fit_over='height' is neither a dim nor a coordinate",
        ),
        (fit(WORLD, Y, fit_over=DIMS), InvalidData, "No dim of y .* is left"),
        (fit(WORLD, Y, fit_over="lat", sample_dims=DIMS), InvalidData, "in sample_dims and in fit_over"),
    ],
)
def test_it_says_what_is_wrong(work: Callable[[], Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        work()


@pytest.mark.parametrize("chunks", [None, {"time": 7, "lon": 2}])
def test_the_first_missing_value_is_named(chunks: Any) -> None:
    y = Y.copy()
    y[17, 4, 3] = np.nan
    y = y if chunks is None else y.chunk(chunks)
    with pytest.raises(NonFiniteData, match=r"y lacks 1 values .*time=1997, lat=45.0, lon=180.0\. .*'drop'"):
        LinearRegression(verbose=0).fit(WORLD, y, sample_dims=DIMS)
    X = WORLD.assign(co2=CO2.where(CO2.time != 1990))
    X = X if chunks is None else X.chunk(chunks)
    with pytest.raises(NonFiniteData, match=r"co2 lacks 1 values .*the first at time=1990\. "):
        LinearRegression(verbose=0).fit(X, Y, sample_dims=DIMS)
    with pytest.raises(NonFiniteData, match=r"sample_weight lacks .*the first at lat=-75.0\. "):
        LinearRegression(verbose=0).fit(WORLD, Y, AREA.where(AREA > 0.5), sample_dims=DIMS)


def test_infinity_is_refused() -> None:
    for missing in ("raise", "drop"):
        with pytest.raises(NonFiniteData, match="infinity"):
            LinearRegression(verbose=0).fit(WORLD / 0.0, Y, sample_dims=DIMS, missing=missing)


@pytest.mark.parametrize("lazy", [False, True])
def test_nothing_is_left(lazy: bool) -> None:
    y = Y.where(Y.time < 0)
    with pytest.raises(ValueError, match="No sample is left|X has 0 rows in all of its chunks"):
        LinearRegression(verbose=0).fit(
            WORLD, y.chunk(time=9) if lazy else y, sample_dims=DIMS, missing="drop"
        )


def test_offsets_are_matched_too() -> None:
    rain = np.exp(0.01 * (Y - Y.mean()))
    with pytest.raises(ChunkMismatch, match="X and offset have different labels on dim 'time'"):
        PoissonRegressor(verbose=0).fit(
            WORLD, rain, offset=CO2.assign_coords(time=CO2.time + 1) / 100.0, sample_dims=DIMS
        )
