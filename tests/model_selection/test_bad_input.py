"""What cannot be split is refused: what was given, what was expected, what to do."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from daskml_dist.errors import (
    ChunkMismatch,
    DaskmlDistError,
    InvalidData,
    NonFiniteData,
    UnsupportedParameter,
)
from daskml_dist.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit, train_test_split
from tests.model_selection.containers import N, arrays, cut, made

DATA = made()
LAZY = arrays(DATA, cut(5))


def column(values: Any, chunks: int = 20) -> da.Array:
    return da.from_array(np.asarray(values), chunks=chunks)


HOLES = column(np.where(DATA.groups, 1.0, np.nan))
SPLITS: list[tuple[Any, Any, Any, Any, type[Exception], str]] = [
    (
        KFold(90),
        LAZY.X,
        None,
        None,
        InvalidData,
        "n_splits=90 greater .* n_samples=83",
    ),
    (KFold(2), da.zeros((0, 3), chunks=2), None, None, InvalidData, "n_samples=0"),
    (KFold(2), LAZY.X, LAZY.y[:9], None, InvalidData, r"inconsistent numbers of samples: \[83, 9\]"),
    (KFold(2), LAZY.X, DATA.y[:9], None, InvalidData, r"inconsistent numbers of samples: \[83, 9\]"),
    (StratifiedKFold(3), LAZY.X, None, None, InvalidData, "Labels are needed to stratify, but y is None"),
    (StratifiedKFold(3), da.zeros((0, 3)), da.zeros(0), None, InvalidData, "0 rows in all of its chunks"),
    (
        StratifiedKFold(80),
        LAZY.X,
        LAZY.y,
        None,
        InvalidData,
        "n_splits=80 cannot be greater",
    ),
    (StratifiedKFold(3), LAZY.X, column(np.linspace(0, 1, N)), None, InvalidData, "Got 'continuous' instead"),
    (
        StratifiedKFold(3),
        LAZY.X,
        HOLES,
        None,
        NonFiniteData,
        "y contains NaN",
    ),
    (StratifiedKFold(3), LAZY.X, column(np.ones((N, 2))), None, InvalidData, "y should be a 1d array"),
    (GroupKFold(3), LAZY.X, None, None, InvalidData, "The 'groups' parameter should not be None"),
    (
        GroupKFold(12),
        LAZY.X,
        None,
        LAZY.groups,
        InvalidData,
        "greater than the number of groups: 11",
    ),
    (
        GroupKFold(3),
        LAZY.X,
        None,
        HOLES,
        NonFiniteData,
        "groups contains NaN",
    ),
    (GroupKFold(3), LAZY.X, None, DATA.groups[1:], InvalidData, r"inconsistent .* \[83, 82\]"),
    (TimeSeriesSplit(90), LAZY.X, None, None, InvalidData, "number of folds=91 greater than .* samples=83"),
    (
        TimeSeriesSplit(3, test_size=30),
        LAZY.X,
        None,
        None,
        InvalidData,
        "Too many splits=3 for number",
    ),
    (TimeSeriesSplit(3, gap=-1), LAZY.X, None, None, UnsupportedParameter, r"TimeSeriesSplit\(gap=-1\)"),
]


@pytest.mark.parametrize(("cv", "X", "y", "groups", "error", "words"), SPLITS)
def test_splits_that_cannot_be(cv: Any, X: Any, y: Any, groups: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        list(cv.split(X, y, groups))
    assert isinstance(caught.value, (ValueError, DaskmlDistError))


PARTS: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    ((), {"stratify": LAZY.y}, InvalidData, "At least one array required"),
    ((LAZY.X, LAZY.y[:9]), {}, InvalidData, r"inconsistent numbers of samples: \[83, 9\]"),
    ((LAZY.X, DATA.y[:9]), {}, InvalidData, r"inconsistent numbers of samples: \[83, 9\]"),
    ((LAZY.X,), {"stratify": DATA.y[:9]}, InvalidData, r"inconsistent numbers of samples: \[83, 9\]"),
    ((LAZY.X,), {"shuffle": False, "stratify": LAZY.y}, UnsupportedParameter, "Stratified.*shuffle=False"),
    ((LAZY.X,), {"shuffle": "no"}, UnsupportedParameter, "shuffle='no' was given; expected True or False"),
    ((LAZY.X,), {"test_size": 83}, InvalidData, "test_size=83 .*smaller than the number of samples 83"),
    ((LAZY.X,), {"test_size": 1.5}, UnsupportedParameter, "Invalid value for test_size: 1.5"),
    ((LAZY.X,), {"test_size": 0.6, "train_size": 0.6}, InvalidData, "sum of train_size and test_size"),
    ((LAZY.X,), {"test_size": 0.999}, InvalidData, "the resulting train set will be empty"),
    ((LAZY.X,), {"random_state": "seed"}, ValueError, "cannot be used to seed"),
    ((da.zeros((0, 2)),), {}, InvalidData, "train set will be empty"),
    ((LAZY.X,), {"stratify": column([0] * 82 + [1])}, InvalidData, r"too few members are: \[1\]"),
    ((LAZY.X,), {"stratify": column(np.arange(N) // 2)}, InvalidData, "only 1 member"),
    ((LAZY.X,), {"stratify": column(np.arange(N) % 40)}, InvalidData, "test_size = 21 .* classes = 40"),
    ((LAZY.X,), {"stratify": LAZY.X}, InvalidData, r"y should be a 1d array.*Join its columns"),
    ((LAZY.X, {"a": 1}), {}, TypeError, "dict"),
    ((xr.Dataset({"a": ("t", np.ones(9)), "b": ("s", np.ones(9))}),), {}, InvalidData, "must lie on one dim"),
    ((xr.Dataset({"a": ("t", da.ones(9)), "b": ((), 1.0)}),), {}, InvalidData, "must lie on one dim"),
    ((LAZY.X, xr.Dataset()), {}, InvalidData, "Dataset without variables"),
    ((LAZY.X,), {"stratify": xr.Dataset({"a": ("t", np.ones(N))})}, TypeError, r"for instance y\['a'\]"),
    (
        (DATA.X,),
        {"stratify": xr.Dataset({"a": ("t", np.ones(N))})},
        TypeError,
        "create an xarray.DataArray first",
    ),
    ((dask.delayed(np.ones)(9),), {}, TypeError, "dask.array.from_delayed"),
    ((da.ones(()),), {}, InvalidData, "Singleton array given: it has no rows"),
    ((LAZY.X, 3.0), {}, TypeError, "float"),
]


@pytest.mark.parametrize(("values", "how", "error", "words"), PARTS)
def test_parts_that_cannot_be(values: Any, how: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        train_test_split(*values, **how)


def test_more_labels_than_can_be_stratified() -> None:
    many = column(np.arange(3000) // 2, 2000)
    with pytest.raises(InvalidData, match="1000 different labels in chunk 0|1500 different|1000 at most"):
        train_test_split(da.ones((3000, 1)), stratify=many)


def test_unknown_chunks_that_are_cut_otherwise() -> None:
    frame = dd.from_pandas(pd.DataFrame({"a": range(10), "y": range(10)}), npartitions=2)
    X, y = frame[["a"]], frame["y"].to_dask_array()
    other = dd.from_pandas(pd.Series(range(10)), npartitions=3)
    with pytest.raises(ChunkMismatch, match="split in 2 chunks, and the data have 3 chunks"):
        train_test_split(X, other)
    moved = da.Array(y.dask, y.name, ((np.nan, np.nan),), dtype=y.dtype)[y < 8]
    parts = train_test_split(X, moved, random_state=0)
    with pytest.raises(ChunkMismatch, match="3 rows where 5 were split.*compute_chunk_sizes"):
        parts[2].compute()
    with pytest.raises(ChunkMismatch, match="split in 2 chunks"):
        list(StratifiedKFold(2).split(X, other))
    with pytest.raises(ChunkMismatch, match="Chunk 1 has 5 rows, and 3 labels"):
        list(StratifiedKFold(2).split(X, moved % 2))
    with pytest.raises(ChunkMismatch, match="Chunk 1 has 5 rows, and 3 groups"):
        list(GroupKFold(2).split(da.ones((10, 1), chunks=5), groups=moved % 3))


def test_labels_that_changed_since_they_were_counted() -> None:
    calls = iter(range(10**6))
    labels = da.from_delayed(dask.delayed(lambda: np.full(10, next(calls)), pure=False)(), (10,), dtype=int)
    y = da.concatenate([labels, da.ones(10, dtype=int, chunks=10)])
    ((train, _), *_) = StratifiedKFold(2).split(da.ones((20, 1), chunks=10), y)
    with pytest.raises(ChunkMismatch, match="Chunk 0 is not what it was when its labels were counted"):
        np.asarray(train)


def test_an_error_on_a_worker_reaches_the_caller(cluster: LocalCluster) -> None:
    with Client(cluster, set_as_default=True):
        with pytest.raises(NonFiniteData, match="Input groups contains NaN.*Drop these rows"):
            list(GroupKFold(3).split(LAZY.X, groups=HOLES))
        with pytest.raises(InvalidData, match="number of groups: 11"):
            list(GroupKFold(12).split(LAZY.X, groups=LAZY.groups))
