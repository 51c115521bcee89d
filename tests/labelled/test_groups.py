"""Groups and folds of labelled data: by name, on some of the dims, whatever the chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as sk
import xarray as xr
from sklearn.model_selection import GroupKFold as TheirGroupKFold

from daskml_dist.errors import InvalidData
from daskml_dist.linear_model import HuberRegressor, LassoCV, LogisticRegressionCV, MinimaxRegressor, RidgeCV
from daskml_dist.model_selection import GroupKFold
from tests.labelled.world import CO2, COORDS, DIMS, HEIGHT, SST, WORLD, column, table, target

CENTRED = WORLD - WORLD.mean()
Y = target(missing=True)
BAND = xr.DataArray(["s", "s", "t", "t", "n", "n"], dims="lat", coords={"lat": COORDS["lat"]}, name="band")
THERE = np.isfinite(column(Y))


@pytest.mark.parametrize("chunks", [{}, {"time": 9}, {"lat": 1}, {"time": 11, "lon": 2}])
@pytest.mark.parametrize("named", [False, True])
def test_folds_of_groups_do_not_depend_on_chunks(chunks: Any, named: bool) -> None:
    alphas = [0.01, 1.0, 1e3]
    y = Y.assign_coords(band=BAND) if named else Y
    groups: Any = "band" if named else BAND
    X = WORLD.chunk(chunks) if chunks else WORLD
    model = RidgeCV(alphas=alphas, cv=GroupKFold(3), verbose=0).fit(
        X, y, groups=groups, sample_dims=DIMS, missing="drop"
    )
    rows = table(SST, HEIGHT, CO2)[THERE]
    folds = TheirGroupKFold(3).split(rows, groups=column(BAND)[THERE])
    expected = sk.RidgeCV(alphas=alphas, cv=list(folds)).fit(rows, column(Y)[THERE])
    assert model.alpha_ == expected.alpha_
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-7)
    assert model.n_used_ == THERE.sum()


def test_a_coordinate_that_is_not_there() -> None:
    with pytest.raises(InvalidData, match="groups='bands' is neither a dim nor a coordinate of y"):
        RidgeCV(cv=GroupKFold(3), verbose=0).fit(WORLD, Y, groups="bands", sample_dims=DIMS, missing="drop")


def test_searches_leave_out_what_is_missing() -> None:
    lasso = LassoCV(cv=3, verbose=0).fit(CENTRED.chunk(time=9), Y, sample_dims=DIMS, missing="drop")
    hot = (Y > Y.median()).where(Y.notnull())
    logistic = LogisticRegressionCV(cv=3, Cs=2, verbose=0).fit(
        CENTRED.chunk(time=9), hot, sample_dims=DIMS, missing="drop"
    )
    assert lasso.n_used_ == logistic.n_used_ == THERE.sum()
    assert logistic.coef_.dims == ("class", "variable")
    assert logistic.coef_["class"].values.tolist() == [1.0]


def test_the_worst_group_is_one_of_labels() -> None:
    model = MinimaxRegressor(verbose=0).fit(
        CENTRED.chunk(time=9), Y, groups=BAND, sample_dims=DIMS, missing="drop"
    )
    assert model.groups_.tolist() == ["n", "s", "t"]
    rows = table(*(CENTRED[name] for name in CENTRED.data_vars))[THERE]
    same = MinimaxRegressor(verbose=0).fit(rows, column(Y)[THERE], groups=column(BAND)[THERE])
    np.testing.assert_allclose(model.coef_, same.coef_, rtol=1e-3, atol=1e-3)


def test_outliers_have_dims() -> None:
    model = HuberRegressor(verbose=0).fit(CENTRED, Y, sample_dims=DIMS, missing="drop")
    assert model.outliers_.dims == DIMS
    distance = np.abs(column(Y) - column(model.predict(CENTRED)))
    np.testing.assert_array_equal(column(model.outliers_), distance > model.epsilon * model.scale_)
