"""Where answers go: a directory with a file for each piece, or a Zarr store with a region for each."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Protocol, cast, final

import dask.array as da
import fsspec
import numpy as np
import pandas as pd
import xarray as xr

from daskml_dist.errors import InvalidData
from daskml_dist.files import Source
from daskml_dist.files.labelled_files import Cells, open_dataset
from daskml_dist.storage import Folder

ENDINGS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".zarr": "zarr"}
TABLES = ("csv", "parquet")


class Destination(Protocol):
    """A place for the answers of all pieces."""

    def begin(self) -> None:
        """Make it, or make it again as long as no part is there."""

    def write(self, part: int, piece: Any, frame: pd.DataFrame) -> str:
        """Write the answers for a piece, the same bytes every time; their SHA-256, if they are a file."""

    def lost(self, parts: Collection[int]) -> set[int]:
        """Those of the parts, all of them written, that are not there any more."""


@final
@dataclass(frozen=True)
class TableParts:
    """A directory with a file for each piece, in the order of the rows."""

    url: str
    kind: str

    def begin(self) -> None:
        """Nothing: the directory comes with the first file."""

    def write(self, part: int, piece: Any, frame: pd.DataFrame) -> str:
        """A whole file, or none."""
        buffer = BytesIO()
        if self.kind == "parquet":
            frame.to_parquet(buffer, index=False, engine="pyarrow")
        else:
            frame.to_csv(buffer, index=False)
        data = buffer.getvalue()
        Folder(self.url).write(self._name(part), data)
        return hashlib.sha256(data).hexdigest()

    def lost(self, parts: Collection[int]) -> set[int]:
        """Those whose file is gone."""
        there = set(Folder(self.url).names())
        return {part for part in parts if self._name(part) not in there}

    def _name(self, part: int) -> str:
        return f"part-{part:06d}.{self.kind}"


@final
@dataclass(frozen=True)
class CellStore:
    """A Zarr store with the dims and coords of the source, a chunk for each piece.

    Attributes
    ----------
    url, source, kind : of the store, and of the file that is scored.
    dims : whose cells are rows.
    step : cells of a piece along the first of them.
    columns : names and dtypes of the answers.
    """

    url: str
    source: str
    kind: str
    dims: tuple[str, ...]
    step: int
    columns: Mapping[str, Any]

    def begin(self) -> None:
        """Metadata and coords; the answers are missing."""
        with open_dataset(self.source, self.kind) as dataset:
            shape = tuple(dataset.sizes[dim] for dim in self.dims)
            coords = {
                name: c.load().drop_encoding()
                for name, c in dataset.coords.items()
                if set(c.dims) <= set(self.dims)
            }
        chunks = (self.step, *shape[1:])
        empty = {
            name: (self.dims, da.zeros(shape, chunks=chunks, dtype=dtype))
            for name, dtype in self.columns.items()
        }
        with warnings.catch_warnings():  # readers know it, and complain where it is missing
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            xr.Dataset(empty, coords).to_zarr(self.url, mode="w", compute=False, consolidated=True)

    def write(self, part: int, piece: Any, frame: pd.DataFrame) -> str:
        """The cells of a piece."""
        cells = cast(Cells, piece)
        with open_dataset(self.source, self.kind) as dataset:
            inner = tuple(dataset.sizes[dim] for dim in self.dims[1:])
        shape = (cells.stop - cells.start, *inner)
        answers = {
            name: (self.dims, frame[name].to_numpy(dtype=dtype).reshape(shape))
            for name, dtype in self.columns.items()
        }
        xr.Dataset(answers).to_zarr(
            self.url, region={self.dims[0]: slice(cells.start, cells.stop)}, consolidated=False
        )
        return ""

    def lost(self, parts: Collection[int]) -> set[int]:
        """None that is known of: a store may leave out chunks of zeros."""
        return set()


def destination_for(url: str, source: Source, columns: Mapping[str, Any], keep: Sequence[str]) -> Destination:
    """What a destination's ending asks for.

    Raises
    ------
    InvalidData
        It does not go with the source.
    """
    kind = next((kind for ending, kind in ENDINGS.items() if url.rstrip("/").lower().endswith(ending)), None)
    if source.kind in TABLES and kind in TABLES:
        return TableParts(url, str(kind))
    if source.kind in TABLES or kind != "zarr":
        wanted = ".parquet or .csv" if source.kind in TABLES else ".zarr"
        raise InvalidData(
            f"{url}: answers for {source.name} ({source.kind}) go to a name that ends in {wanted}"
        )
    if keep:
        raise InvalidData(
            f"keep={list(keep)}: a Zarr store has the coords of its source, and no other columns"
        )
    pieces = [cast(Cells, piece) for piece in source.pieces]
    if len({piece.path for piece in pieces}) != 1:
        raise InvalidData(f"{source.name} has several files; score each of them to a Zarr store of its own")
    first = pieces[0]
    return CellStore(url, first.path, first.kind, first.dims, first.stop - first.start, _fixed(columns))


def remove(url: str) -> None:
    """What was there, if anything was."""
    fs, root = fsspec.core.url_to_fs(url)
    if fs.exists(root):
        fs.rm(root, recursive=True)


def exists(url: str) -> bool:
    """Whether something is there."""
    fs, root = fsspec.core.url_to_fs(url)
    return bool(fs.exists(root))


def _fixed(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Dtypes that a Zarr store has: text of a fixed width, no objects."""
    found = {name: np.dtype(dtype) for name, dtype in columns.items()}
    if any(dtype.hasobject for dtype in found.values()):
        raise InvalidData("labels of mixed types cannot be written to a Zarr store; score to .parquet")
    return found
