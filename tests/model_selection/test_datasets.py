"""A Dataset, whose variables are columns, is parted as the DataArray of these columns is."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_array_equal
from sklearn import model_selection

from daskml_dist.linear_model import LinearRegression
from daskml_dist.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit, train_test_split
from tests.model_selection.containers import NAMES, N, labelled, made, variables

DATA = made()
ARRAY = labelled(DATA)
COLUMNS = ARRAY.X.to_dataset(dim="feature").assign_attrs(ARRAY.X.attrs)
SPLITTERS = [
    KFold(3),
    KFold(3, shuffle=True, random_state=1),
    StratifiedKFold(3, shuffle=True, random_state=1),
    GroupKFold(3),
    TimeSeriesSplit(3),
]


def as_array(parted: xr.Dataset) -> xr.DataArray:
    """Rows and features again, as the DataArray has them."""
    return (
        parted.to_dataarray(dim="feature", name="X").transpose("time", "feature").assign_attrs(parted.attrs)
    )


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_splits_are_those_of_the_array(cv: Any) -> None:
    groups = ARRAY.groups if isinstance(cv, GroupKFold) else None
    splits = zip(cv.split(COLUMNS, ARRAY.y, groups), cv.split(ARRAY.X, ARRAY.y, groups), strict=True)
    for sides in splits:
        for ours, theirs in zip(*sides, strict=True):
            assert_array_equal(ours, theirs)
            part, expected = ours.take(COLUMNS), theirs.take(ARRAY.X)
            assert part["alpha"].chunks == (expected.chunks[0],)
            xr.testing.assert_identical(as_array(part).compute(), expected.compute())


@pytest.mark.parametrize("how", [{}, {"shuffle": False}, {"stratify": ARRAY.y}, {"test_size": 9}], ids=repr)
def test_parts_are_those_of_the_array(how: dict[str, Any]) -> None:
    seed = {} if "shuffle" in how else {"random_state": 4}
    ours = train_test_split(COLUMNS, ARRAY.y, **how, **seed)
    theirs = train_test_split(ARRAY.X, ARRAY.y, **how, **seed)
    for part, expected in zip(ours[:2], theirs[:2], strict=True):
        xr.testing.assert_identical(as_array(part).compute(), expected.compute())
    for part, expected in zip(ours[2:], theirs[2:], strict=True):
        xr.testing.assert_identical(part.compute(), expected.compute())


def test_in_memory_scikit_learn_parts_it() -> None:
    columns, array = COLUMNS.compute(), ARRAY.X.compute()
    ours = train_test_split(columns, DATA.y, random_state=0, stratify=DATA.y)
    theirs = model_selection.train_test_split(array, DATA.y, random_state=0, stratify=DATA.y)
    for part, expected in zip(ours[:2], theirs[:2], strict=True):
        xr.testing.assert_identical(as_array(part), expected)
    assert_array_equal(ours[3], theirs[3])
    for cv in SPLITTERS:
        groups = DATA.groups if isinstance(cv, GroupKFold) else None
        splits = zip(cv.split(columns, DATA.y, groups), cv.split(DATA.X, DATA.y, groups), strict=True)
        for sides in splits:
            assert_array_equal(sides[0][1], sides[1][1])


def test_nothing_is_computed_and_all_of_it_is_kept() -> None:
    """The labels that lie on rows, those that do not, attributes, and a variable that is in memory."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something computed")

    columns = COLUMNS.assign_coords(run=("time", da.arange(N, chunks=30)))
    columns["gamma"] = columns.gamma.assign_attrs(unit="s")
    with dask.config.set(scheduler=refuse):
        train, test = train_test_split(columns.drop_vars(["time", "site"]), shuffle=False)
        assert train.sizes["time"] + test.sizes["time"] == N
    train, test = train_test_split(columns, random_state=0)
    for part in (train, test):
        assert all(part[name].chunks is not None for name in (*NAMES, "run"))
        assert (part.attrs, part.gamma.attrs) == ({"unit": "m"}, {"unit": "s"})
        assert_array_equal(part.run, part.time // 2)
    mixed = variables(DATA).X
    train, test = train_test_split(mixed, random_state=0)
    assert train.beta.chunks is None
    assert train.place.identical(mixed.place)


def test_other_chunks_and_joined_labels() -> None:
    """Variables cut each in its own way, on a dim that joins two others."""
    stacked = xr.Dataset(
        {"a": (("t", "s"), np.arange(40.0).reshape(8, 5)), "b": (("t", "s"), np.ones((8, 5)))},
        coords={"t": np.arange(8), "s": list("vwxyz")},
    ).stack(row=["t", "s"])
    cut = {"a": stacked.a.variable.chunk({"row": 7}), "b": stacked.b.variable.chunk({"row": 20})}
    lazy = xr.Dataset(cut, coords=stacked.coords)
    for train, test in KFold(4).split(lazy):
        xr.testing.assert_identical(test.take(lazy).compute(), stacked.isel(row=np.asarray(test)))
        assert len(train) == 30
    words = lazy.assign(word=("row", np.array(list("xy") * 20)))
    part = train_test_split(words, random_state=0)[1]
    assert_array_equal(part.word, np.where(part.a.compute() % 2, "y", "x"))


def test_a_model_learns_from_a_part(backend: str) -> None:
    y = ARRAY.X @ xr.DataArray([1.0, -2.0, 0.5], dims="feature")
    X_train, X_test, y_train, y_test = train_test_split(COLUMNS, y, random_state=0)
    model = LinearRegression(verbose=0).fit(X_train, y_train)
    np.testing.assert_allclose(model.coef_, [1.0, -2.0, 0.5])
    assert model.feature_names_in_.tolist() == NAMES
    predicted = model.predict(X_test)
    assert predicted.chunks == X_test.alpha.chunks
    xr.testing.assert_allclose(
        predicted.drop_attrs(), y_test.drop_vars("feature", errors="ignore").rename(None)
    )
