"""Zarr and NetCDF are read where the work is, each chunk once a pass at most, and never into the client."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from distributed import Client

from daskml_dist.errors import ChunkUnreadable
from daskml_dist.linear_model import LogisticRegression, Ridge
from daskml_dist.model_selection import train_test_split
from tests.linear_model.stored import CountingStore, taken_log

N, ROWS, NAMES = 2400, 200, ["a", "b", "c", "d"]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
Y = (X @ [1.0, -1.0, 0.5, 0.0] + RNG.logistic(size=N) > 0).astype(np.int64)
EXPECTED = LogisticRegression(verbose=0, tol=1e-10).fit(X, Y)
CHUNKS = N // ROWS


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """X in 12 x 2 chunks, and y in 12."""
    root = tmp_path / "data.zarr"
    data = {"X": (("row", "feature"), X), "y": ("row", Y)}
    cut = {"X": {"chunks": (ROWS, 2)}, "y": {"chunks": (ROWS,)}}
    coords = {"row": np.arange(N) * 2}
    xr.Dataset(data, coords=coords).to_zarr(root, encoding=cut, consolidated=False)
    return root


def opened(root: Path) -> xr.Dataset:
    return xr.open_zarr(CountingStore(root, read_only=True), consolidated=False)


def from_zarr(root: Path) -> tuple[Any, Any]:
    group = zarr.open_group(CountingStore(root, read_only=True), mode="r", use_consolidated=False)
    return da.from_zarr(group["X"]), da.from_zarr(group["y"])


def from_xarray(root: Path) -> tuple[Any, Any]:
    return opened(root).X, opened(root).y


@pytest.mark.parametrize("read", [from_xarray, from_zarr])
def test_each_chunk_is_read_once(read: Callable, store: Path) -> None:
    features, labels = read(store)
    assert not taken_log(store)[0]
    model = LogisticRegression(verbose=0, tol=1e-10).fit(features, labels)
    read_chunks, _ = taken_log(store)
    assert len(read_chunks) == 3 * CHUNKS
    assert set(read_chunks.values()) == {1}
    np.testing.assert_allclose(model.coef_, EXPECTED.coef_, rtol=1e-6)
    predicted = model.predict_proba(features)
    assert not taken_log(store)[0]
    np.testing.assert_allclose(predicted, EXPECTED.predict_proba(X), rtol=1e-6)
    read_chunks, _ = taken_log(store)
    assert len(read_chunks) == 2 * CHUNKS
    assert set(read_chunks.values()) == {1}


def test_what_does_not_fit_is_read_once_a_pass(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.cluster.in_process.process_limit", lambda: X.nbytes)
    data = opened(store)
    model = LogisticRegression(verbose=0, tol=1e-10, solver="newton").fit(data.X, data.y)
    read_chunks, _ = taken_log(store)
    of_features = {key: count for key, count in read_chunks.items() if key.startswith("X/")}
    assert len(of_features) == 2 * CHUNKS
    for key, count in of_features.items():  # a first look may load eight chunks once more
        assert 1 < count <= model.n_passes_ + (int(key.split("/")[2]) < 8)
    np.testing.assert_allclose(model.coef_, EXPECTED.coef_, rtol=1e-6)


def test_workers_read_and_the_client_does_not(store: Path, client: Client) -> None:
    data = opened(store)
    model = LogisticRegression(verbose=0, tol=1e-10).fit(data.X, data.y)
    fitted, by = taken_log(store)
    assert len(fitted) == 3 * CHUNKS
    assert set(fitted.values()) == {1}
    assert os.getpid() not in by
    np.testing.assert_allclose(model.coef_, EXPECTED.coef_, rtol=1e-6)
    model.predict(data.X).to_dataset(name="said").to_zarr(store.with_name("said.zarr"), consolidated=False)
    predicted, by = taken_log(store)
    assert len(predicted) == 2 * CHUNKS
    assert set(predicted.values()) == {1}
    assert os.getpid() not in by
    said = xr.open_zarr(store.with_name("said.zarr"), consolidated=False).said
    assert said.chunks == data.y.chunks
    np.testing.assert_array_equal(said.row, data.row)
    np.testing.assert_array_equal(said, EXPECTED.predict(X))
    damage(store)
    with pytest.raises(ChunkUnreadable, match=r"Chunk 3 of X \(rows 600 to 799\).*block \(3, 1\) of 'open_"):
        LogisticRegression(verbose=0).fit(data.X, data.y)


def test_predictions_go_back_into_a_store(store: Path) -> None:
    """Labels and probabilities, in the chunks of X, and parts of a split after they are cut evenly."""
    data = opened(store)
    p = EXPECTED.predict_proba(data.X).to_dataset(name="p")
    p.to_zarr(store.with_name("p.zarr"), consolidated=False)
    again = xr.open_zarr(store.with_name("p.zarr"), consolidated=False).p
    assert again.chunks == ((ROWS,) * CHUNKS, (2,))
    np.testing.assert_allclose(again, EXPECTED.predict_proba(X))
    train, _ = train_test_split(data[["y"]], random_state=0)
    train.chunk(row=500).to_zarr(store.with_name("train.zarr"), consolidated=False)
    xr.testing.assert_equal(xr.open_zarr(store.with_name("train.zarr"), consolidated=False), train)


def damage(root: Path) -> None:
    """Cut one file of X in half."""
    chunk = root / "X" / "c" / "3" / "1"
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])


@pytest.mark.parametrize("streamed", [False, True])
def test_a_damaged_chunk_is_named(store: Path, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if streamed:
        monkeypatch.setattr("daskml_dist.cluster.in_process.process_limit", lambda: X.nbytes)
    damage(store)
    features, labels = from_zarr(store)
    says = r"Chunk 3 of X \(rows 600 to 799\) cannot be computed: block \(3, 1\) of 'from-zarr' fails with"
    with pytest.raises(ChunkUnreadable, match=says):
        LogisticRegression(verbose=0).fit(features, labels)
    with pytest.raises(ChunkUnreadable, match="damaged, truncated or gone"):
        Ridge(verbose=0).fit(features, labels)


def test_netcdf(tmp_path: Path, backend: str) -> None:
    """A variable for each feature, opened in the chunks of the file."""
    columns = {name: ("row", X[:, j]) for j, name in enumerate(NAMES)}
    cut = {name: {"chunksizes": (ROWS,)} for name in [*NAMES, "y"]}
    xr.Dataset(columns | {"y": ("row", Y)}).to_netcdf(tmp_path / "data.nc", encoding=cut)
    with xr.open_dataset(tmp_path / "data.nc", chunks={}) as data:
        features = data[NAMES]
        assert features.chunks["row"] == (ROWS,) * CHUNKS
        model = LogisticRegression(verbose=0, tol=1e-10).fit(features, data.y)
        assert model.feature_names_in_.tolist() == NAMES
        np.testing.assert_allclose(model.coef_, EXPECTED.coef_, rtol=1e-6)
        said = model.predict(features)
        assert said.chunks == ((ROWS,) * CHUNKS,)
        np.testing.assert_array_equal(said, EXPECTED.predict(X))
