"""Labelled data: a model for each cell against a loop over the cells, and one model against stacking."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from sklearn import linear_model as theirs

from benchmarks.options import Options
from benchmarks.table import Table
from benchmarks.workers.measure import peak_mb, reset_peak
from daskml_dist import linear_model as ours

YEARS, LAT, LON = 240, 37, 49  # the grid of the temperature of North America
CELLS = ("lat", "lon")
DIMS = ("time", "lat", "lon")

CELL_COLUMNS = (
    "data",
    "cells",
    "MB",
    "ours, s",
    "loop, s",
    "ratio",
    "largest difference",
    "ours, MB",
    "loop, MB",
)
ROW_COLUMNS = ("data", "samples", "ours, s", "stacked, s", "largest difference", "ours, MB", "stacked, MB")


def run(options: Options) -> list[Table]:
    """Everything in one process, one after the other."""
    times = options.pick(10, 10, 1)  # on each side of the grid
    world = _world(times)
    ours.LinearRegression(verbose=0).fit(world.co2, world.y.isel(lat=slice(2)), fit_over=CELLS)
    return [_of_cells(options, world), _of_rows(options, world)]


def _world(times: int) -> xr.Dataset:
    rng = np.random.default_rng(0)
    shape = (YEARS, times * LAT, times * LON)
    co2 = xr.DataArray(np.linspace(280.0, 420.0, YEARS), dims="time")
    sst = xr.DataArray(rng.standard_normal(shape), dims=DIMS)
    y = 286.0 + 0.02 * co2 + 0.5 * sst + xr.DataArray(rng.standard_normal(shape), dims=DIMS)
    land = xr.DataArray(rng.random(shape[1:]) < 0.3, dims=CELLS)
    return xr.Dataset({"co2": co2, "sst": sst, "y": y.transpose(*DIMS), "land": land})


def _of_cells(options: Options, world: xr.Dataset) -> Table:
    """A model for each cell."""
    y, both = world.y, world[["sst", "co2"]]
    masked = y.where(~world.land)
    stored = _stored(y, options.folder / "labelled.zarr")
    cases: list[tuple[str, Any, Any, list[Any]]] = [
        ("a feature that all cells share", world.co2, y, [world.co2]),
        ("the same, in chunks of 24 years", world.co2, y.chunk(time=24), [world.co2]),
        ("the same, from Zarr", world.co2, stored, [world.co2]),
        ("the same, 30 % of the cells missing", world.co2, masked, [world.co2]),
        ("two features, one of them of each cell", both, y, [world.sst, world.co2]),
    ]
    table = Table("Least squares in each cell: one sweep against a loop of numpy.linalg.lstsq", CELL_COLUMNS)
    for name, X, target, columns in cases:
        options.say(f"labelled: {name}")
        model, seconds, memory = _measured(
            lambda X=X, target=target: ours.LinearRegression(verbose=0).fit(
                X, target, fit_over=CELLS, missing="drop"
            )
        )
        expected, slow, slow_memory = _measured(lambda target=target, columns=columns: _loop(columns, target))
        worst = float(np.nanmax(np.abs(model.coef_.to_numpy() - expected)))
        megabytes = round(8e-6 * y.size)
        table.add(name, y[0].size, megabytes, seconds, slow, slow / seconds, worst, memory, slow_memory)
    table.notes += [
        f"{YEARS} years, float64. The loop fits each cell by itself, without the years that are "
        "missing; from Zarr, it "
        "loads the data first, and both times include the reading, which alone takes "
        f"{_measured(stored.to_numpy)[1]:.2f} s.",
        "MB: resident memory at its highest during the fit, less that before it.",
    ]
    return table


def _of_rows(options: Options, world: xr.Dataset) -> Table:
    """One model over all dims."""
    features, y = world[["sst", "co2"]], world.y.where(~world.land)
    table = Table("One model over time, lat and lon: blocks of samples against xarray's stack", ROW_COLUMNS)
    for name, chunks in (("in memory", None), ("in chunks of 24 years", {"time": 24})):
        options.say(f"labelled: one model, {name}")
        X, target = (features, y) if chunks is None else (features.chunk(chunks), y.chunk(chunks))
        model, seconds, memory = _measured(
            lambda X=X, target=target: ours.LinearRegression(verbose=0).fit(
                X, target, sample_dims=DIMS, missing="drop"
            )
        )
        other, slow, slow_memory = _measured(lambda X=X, target=target: _stacked(X, target))
        worst = float(np.abs(model.coef_.to_numpy() - other.coef_).max())
        table.add(name, model.n_used_, seconds, slow, worst, memory, slow_memory)
    table.notes.append(
        "stacked: stack(sample=(time, lat, lon)), dropna, to_numpy, and scikit-learn's LinearRegression."
    )
    return table


def _measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gives, seconds, and MB of memory more than before."""
    gc.collect()
    reset_peak(os.getpid())
    before = peak_mb(os.getpid())
    began = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - began
    return found, seconds, peak_mb(os.getpid()) - before


def _loop(columns: list[xr.DataArray], y: xr.DataArray) -> Any:
    """(lat, lon, p) coefficients, cell after cell."""
    values = y.to_numpy()
    wide = [one.to_numpy() for one in columns]
    found = np.full((*values.shape[1:], len(wide)), np.nan)
    for place in np.ndindex(*values.shape[1:]):
        at = (slice(None), *place)
        there = ~np.isnan(values[at])
        if there.any():
            rows = np.column_stack(
                [*(one if one.ndim == 1 else one[at] for one in wide), np.ones(len(there))]
            )
            found[place] = np.linalg.lstsq(rows[there], values[at][there], rcond=None)[0][:-1]
    return found


def _stacked(X: xr.Dataset, y: xr.DataArray) -> Any:
    """scikit-learn on rows that xarray has stacked."""
    data = X.assign(y=y).broadcast_like(y).stack(sample=DIMS).dropna("sample")
    rows = data[["sst", "co2"]].to_dataarray().transpose("sample", "variable").to_numpy()
    return theirs.LinearRegression().fit(rows, data.y.to_numpy())


def _stored(y: xr.DataArray, path: Path) -> xr.DataArray:
    """The same in a Zarr store of this folder, opened lazily."""
    chunks = {"time": 48, "lat": max(y.sizes["lat"] // 5, 1), "lon": max(y.sizes["lon"] // 5, 1)}
    y.rename("y").to_dataset().chunk(chunks).to_zarr(path, mode="w", consolidated=False)
    return xr.open_zarr(path, consolidated=False).y
