"""Predictions have the dims, coordinates, chunks, name and attributes of the data, and stay lazy."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from daskml_dist.errors import InvalidData, NonFiniteData
from daskml_dist.linear_model import LinearRegression, LogisticRegression
from tests.labelled.world import CHUNKS, DIMS, GAPS, LAND, SST, WORLD, cut, target

Y = target(missing=False)


def fitted(missing: Any = "raise") -> LinearRegression:
    return LinearRegression(verbose=0).fit(WORLD, Y, sample_dims=DIMS, missing=missing)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_dims_chunks_and_names(chunks: Any) -> None:
    X = cut(WORLD.assign_coords(month=("time", np.arange(len(WORLD.time)) % 12), site="here"), chunks)
    found = fitted().predict(X)
    assert (found.name, found.attrs) == ("tas", Y.attrs)
    assert set(found.dims) == set(DIMS)
    assert {"month", "site"} <= set(found.coords)
    if chunks is None:
        assert isinstance(found.data, np.ndarray)
    else:
        assert isinstance(found.data, da.Array)
        assert found.chunksizes == X.sst.chunksizes
    xr.testing.assert_allclose(
        found.drop_vars(["month", "site"]).transpose(*DIMS).compute(), fitted().predict(WORLD)
    )


def test_any_order_of_dims_and_others_besides() -> None:
    X = xr.concat([WORLD, WORLD + 1.0], dim=xr.DataArray(["a", "b"], dims="member", name="member"))
    found = fitted().predict(X.transpose("lon", "member", "time", "lat"))
    assert set(found.dims) == {"member", *DIMS}
    xr.testing.assert_allclose(found.sel(member="a", drop=True).transpose(*DIMS), fitted().predict(WORLD))
    wider = WORLD.assign(other=SST * 2.0)[["other", "co2", "sst", "height"]]
    xr.testing.assert_equal(fitted().predict(wider), fitted().predict(WORLD))


def test_what_is_missing_stays_missing() -> None:
    X = WORLD.assign(sst=SST.where(~GAPS).where(~LAND))
    for data in (X, X.chunk(time=7, lat=4)):
        found = fitted("drop").predict(data)
        np.testing.assert_array_equal(found.isnull(), X.sst.isnull())
        np.testing.assert_allclose(
            found.where(X.sst.notnull()), fitted().predict(WORLD).where(X.sst.notnull())
        )
        with pytest.raises(NonFiniteData, match="Input X contains NaN"):
            fitted("raise").predict(data).compute()


@pytest.mark.parametrize(
    ("labels", "dtype", "missing"),
    [([False, True], "f", None), ([1, 2], "f", None), ([1.0, 2.0], "f", None), (["no", "yes"], "U", "")],
)
def test_labels_have_a_missing_value(labels: list[Any], dtype: str, missing: Any) -> None:
    y = xr.where(Y > Y.median(), labels[1], labels[0])
    X = WORLD.assign(sst=SST.where(~LAND))
    model = LogisticRegression(verbose=0).fit(X, y, sample_dims=DIMS, missing="drop")
    found = model.predict(X.chunk(time=9))
    assert found.dtype.kind == dtype
    gone = X.sst.isnull()
    values = found.to_numpy()[gone.to_numpy()]
    assert (values == missing).all() if dtype == "U" else np.isnan(values).all()
    assert set(np.unique(found.to_numpy()[~gone.to_numpy()])) <= set(labels)
    chance = model.predict_proba(X.chunk(time=9))
    assert chance.dims == (*DIMS, "class")
    assert chance["class"].values.tolist() == labels
    np.testing.assert_allclose(chance.sum("class", skipna=False).where(~gone, 1.0), 1.0)
    np.testing.assert_array_equal(chance.isnull().all("class"), gone)
    assert model.decision_function(X).dims == DIMS


def test_probabilities_go_back_into_a_store(tmp_path: Any) -> None:
    model = LogisticRegression(verbose=0).fit(WORLD, Y > Y.median(), sample_dims=DIMS)
    lazy = model.predict_proba(WORLD.chunk(time=10)).sel({"class": True}).rename("p")
    lazy.to_dataset().drop_vars("class").to_netcdf(tmp_path / "p.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "p.nc", engine="h5netcdf") as back:
        xr.testing.assert_allclose(back.p, lazy.compute().drop_vars("class"))


def test_what_cannot_be_predicted() -> None:
    model = fitted()
    with pytest.raises(InvalidData, match=r"X lacks the variables \['co2'\]"):
        model.predict(WORLD[["sst", "height"]])
    with pytest.raises(InvalidData, match="to the variables .* of a Dataset; X is a DataArray"):
        model.predict(SST)
    single = LinearRegression(verbose=0).fit(
        SST, Y, sample_dims=("time", "lat"), feature_dims=None, fit_over="lon"
    )
    with pytest.raises(InvalidData, match="The model was fitted to a DataArray; X is a Dataset"):
        single.predict(WORLD)
    bands = SST.expand_dims(band=["r", "g"], axis=-1) * xr.DataArray([1.0, -1.0], dims="band")
    X = bands + xr.DataArray(np.random.default_rng(0).normal(size=bands.shape), dims=bands.dims)
    model = LinearRegression(verbose=0).fit(X, Y, sample_dims=DIMS)
    with pytest.raises(InvalidData, match=r"other labels on the feature dim 'band'.*X\.sel\(band"):
        model.predict(X.isel(band=[1, 0]))
    with pytest.raises(
        InvalidData, match="X has 1 labels on the feature dim 'band', and the model was fitted to 2"
    ):
        model.predict(X.isel(band=[1]))
    with pytest.raises(InvalidData, match="was fitted to features on 'band'"):
        model.predict(X.isel(band=1))
    kinds = LogisticRegression(verbose=0).fit(X, Y > Y.median(), sample_dims=DIMS)
    with pytest.raises(InvalidData, match=r"X has a dim or coord 'class', which the result needs"):
        kinds.predict_proba(X.rename(lat="class"))
