"""Zarr stores and NetCDF files: variables on the dims of the target become columns, their cells rows."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, final

import numpy as np
import pandas as pd
import xarray as xr

from daskml_dist.errors import InvalidData
from daskml_dist.files.values import find, listed

ENGINES = {"zarr": ("zarr",), "netcdf": ("netCDF4", "h5netcdf")}
_HDF5 = threading.RLock()
"""HDF5 is not for many threads, and xarray's own lock does not cover the opening of a file."""


@final
@dataclass(frozen=True)
class Cells:
    """The cells of a run of labels along the first dim of the target.

    Attributes
    ----------
    path, kind : of the file.
    dims : of the target; a cell of these is a row.
    start, stop : positions on the first of them.
    columns : variable and position on its one other dim (or None) of each column, by name.
    """

    path: str
    kind: str
    dims: tuple[str, ...]
    start: int
    stop: int
    columns: dict[str, tuple[str, int | None]]

    def read(self, columns: Sequence[str], text: Sequence[str]) -> pd.DataFrame:
        """These columns, one row a cell."""
        with _alone(self.kind), open_dataset(self.path, self.kind) as dataset:
            run = dataset.isel({self.dims[0]: slice(self.start, self.stop)})
            needed = {self.columns[name][0] for name in columns}
            loaded = {name: self._load(run[name]) for name in needed}
            shape = {dim: run.sizes[dim] for dim in self.dims}
        flat = {}
        for name in columns:
            variable, position = self.columns[name]
            values = loaded[variable]
            if position is not None:
                extra = next(dim for dim in values.dims if dim not in self.dims)
                values = values.isel({extra: position})
            flat[name] = values.expand_dims({d: n for d, n in shape.items() if d not in values.dims})
        return pd.DataFrame({name: v.transpose(*self.dims).values.ravel() for name, v in flat.items()})

    def _load(self, variable: Any) -> Any:
        try:
            return variable.load()
        except Exception as error:  # a damaged chunk: each engine has errors of its own
            name = (
                f"{os.path.basename(self.path.rstrip('/'))}: variable {variable.name}{self._broken(variable)}"
            )
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise InvalidData(f"{name} cannot be read: {said}") from None

    def _broken(self, variable: Any) -> str:
        """The first chunk of the file, along the first dim, that cannot be read."""
        dim = self.dims[0]
        size = variable.encoding.get("preferred_chunks", {}).get(dim)
        if dim not in variable.dims or not size:
            return ""
        for start in range(self.start // size * size, self.stop, size):
            stop = min(start + size, self.stop)
            try:
                variable.isel({dim: slice(max(start - self.start, 0), stop - self.start)}).load()
            except Exception:
                return f", chunk {start // size} ({dim} {start:,} to {stop - 1:,})"
        return ""


def open_dataset(path: str, kind: str) -> Any:
    """The dataset, unread.

    Raises
    ------
    InvalidData
        It cannot be opened, or what reads it is not installed.
    """
    if not any(find_spec(engine) for engine in ENGINES[kind]):
        raise InvalidData(f'{path}: reading {kind} needs more packages: pip install "daskml_dist[{kind}]"')
    try:
        return xr.open_zarr(path, chunks=None) if kind == "zarr" else xr.open_dataset(path)
    except Exception as error:  # each engine has errors of its own
        raise InvalidData(f"{path} cannot be read as {kind}: {str(error).splitlines()[0]}") from None


def pieces(
    paths: list[str], kind: str, wanted: Sequence[str], blocksize: int | None
) -> tuple[list[str], list[Cells], list[str]]:
    """The columns, runs of cells of about ``blocksize`` bytes, and notes."""
    cells: list[Cells] = []
    names: list[str] = []
    notes: list[str] = []
    for path in paths:
        with _alone(kind), open_dataset(path, kind) as dataset:
            variable, dims = _rows(dataset, wanted[0], path)
            columns, left = _columns(dataset, dims)
            if names and list(columns) != names:
                raise InvalidData(f"{path} has other variables than {paths[0]}; all files must have the same")
            if not names and left:
                notes.append(f"left out, since they do not lie on {'x'.join(dims)}: {listed(left)}")
            names = list(columns)
            step = _step(dataset, variable, dims, len(columns), blocksize)
            length = dataset.sizes[dims[0]]
            cells += [
                Cells(path, kind, dims, start, min(start + step, length), columns)
                for start in range(0, length, step)
            ]
    return names, cells, notes


def _rows(dataset: Any, column: str, path: str) -> tuple[str, tuple[str, ...]]:
    """The variable that has a column, and the dims whose cells are rows; "name[label]" has one dim more."""
    names = [str(name) for name in dataset.data_vars]
    variable, _, label = column.partition("[")
    if column not in names and variable in names and label.endswith("]"):
        return variable, tuple(str(dim) for dim in dataset[variable].dims[:-1])
    variable = find(names, column, "columns", path)
    dims = tuple(str(dim) for dim in dataset[variable].dims)
    if not dims:
        raise InvalidData(
            f"{column} in {path} is a single number without a dim; rows are cells of a variable"
        )
    return variable, dims


def _columns(dataset: Any, dims: tuple[str, ...]) -> tuple[dict[str, tuple[str, int | None]], list[str]]:
    """The columns of variables on these dims and at most one other; the variables that make none."""
    columns: dict[str, tuple[str, int | None]] = {}
    left = []
    for key, variable in dataset.data_vars.items():
        name = str(key)
        extra = [dim for dim in variable.dims if dim not in dims]
        if not variable.dims or len(extra) > 1 or (extra and len(variable.dims) == 1):
            left.append(name)
        elif not extra:
            columns[name] = (name, None)
        else:
            labels = variable.indexes.get(extra[0], range(variable.sizes[extra[0]]))
            columns |= {f"{name}[{label}]": (name, i) for i, label in enumerate(labels)}
    return columns, left


def _step(dataset: Any, target: str, dims: tuple[str, ...], columns: int, blocksize: int | None) -> int:
    """How many labels on the first dim make about ``blocksize`` bytes, in whole chunks of the file."""
    length = int(dataset.sizes[dims[0]])
    if blocksize is None:
        return max(length, 1)
    a_label = 8 * columns * int(np.prod([dataset.sizes[dim] for dim in dims[1:]], dtype=np.int64))
    step = max(blocksize // max(a_label, 1), 1)
    chunk = int(dataset[target].encoding.get("preferred_chunks", {}).get(dims[0], 1))
    return max(step // chunk, 1) * chunk


def _alone(kind: str) -> AbstractContextManager[Any]:
    """What keeps other threads of this process from the same library."""
    return _HDF5 if kind == "netcdf" else nullcontext()
