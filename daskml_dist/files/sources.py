"""Files as pieces: each can be read on its own, on any worker, into a pandas DataFrame."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final

import fsspec
import pandas as pd
from fsspec.implementations.local import LocalFileSystem

from daskml_dist.errors import InvalidData
from daskml_dist.files import csv_files, labelled_files, parquet_files

ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".zarr": "zarr",
    ".nc": "netcdf",
    ".nc4": "netcdf",
    ".netcdf": "netcdf",
}
BLOCKSIZE = 16 << 20
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


class Piece(Protocol):
    """A part of a table."""

    def read(self, columns: Sequence[str], text: Sequence[str]) -> pd.DataFrame:
        """These columns of this part; those in ``text`` unparsed."""


@final
@dataclass(frozen=True)
class Source:
    """A table that is not read yet.

    Attributes
    ----------
    name : how the user calls it.
    columns : all there are.
    pieces : in the order of the rows.
    notes : what the user should know about how it is read.
    kind : csv, parquet, zarr or netcdf.
    files : all there are.
    """

    name: str
    columns: tuple[str, ...]
    pieces: tuple[Piece, ...]
    notes: tuple[str, ...]
    kind: str
    files: tuple[str, ...]

    def fingerprint(self) -> list[list[str]]:
        """See ``fingerprint_of``."""
        return fingerprint_of(self.files)


def open_source(
    file: str,
    columns: Sequence[str],
    *,
    kind: str | None = None,
    sep: str | None = None,
    na_values: tuple[str, ...] = (),
    blocksize: int | None = BLOCKSIZE,
) -> Source:
    """Find the files and cut them into pieces; only headers and footers are read.

    Parameters
    ----------
    file : path, URL or pattern.
    columns : that are needed, by name; cells of the first are the rows of a Zarr store or NetCDF file.
    kind : csv, parquet, zarr or netcdf; None to tell by the name.
    sep, na_values : of CSV files.
    blocksize : bytes of a piece, about; None for whole files.

    Raises
    ------
    InvalidData
        There is nothing, it is of an unknown kind, or it cannot be read.
    """
    kind, files = files_of(file, kind)
    found: tuple[Sequence[str], Sequence[Piece], Sequence[str]]
    if kind == "csv":
        found = csv_files.pieces(files, sep, na_values, blocksize)
    elif kind == "parquet":
        found = parquet_files.pieces(files, blocksize)
    else:
        found = labelled_files.pieces(files, kind, columns, blocksize)
    columns, pieces, notes = found
    return Source(file, tuple(columns), tuple(pieces), tuple(notes), kind, tuple(files))


def files_of(given: str, kind: str | None = None) -> tuple[str, list[str]]:
    """The kind of the files that a path, URL or pattern stands for, and all of them; nothing is read.

    Raises
    ------
    InvalidData
        There is nothing, or it is of an unknown kind.
    """
    paths = find_files(given)
    kind = kind or kind_of_file(paths[0])
    return kind, expanded(paths, kind)


def fingerprint_of(files: Sequence[str]) -> list[list[str]]:
    """Path, size and date of each file, as its file system tells them."""
    found = []
    for path in files:
        fs, root = fsspec.core.url_to_fs(path)
        facts = fs.info(root)
        date = next((facts[key] for key in ("mtime", "ETag", "LastModified", "updated") if key in facts), "")
        found.append([path, str(facts.get("size")), str(date)])
    return found


def find_files(given: str) -> list[str]:
    """The paths that a path, URL or pattern stands for, each usable on its own by fsspec."""
    try:
        fs, root = fsspec.core.url_to_fs(given)
    except (ValueError, ImportError) as error:
        raise InvalidData(f"{given}: {error}") from error
    pattern = any(mark in root for mark in "*?[") and not fs.exists(root)
    found = sorted(map(str, fs.glob(root))) if pattern else [root] * bool(fs.exists(root))
    if not found:
        raise InvalidData(f"{given}: there is no such file{_alike(given)}")
    return [_address(fs, path) for path in found]


def kind_of_file(path: str) -> str:
    """csv, parquet, zarr or netcdf, by the ending of the path or what is in the directory."""
    base = path.rstrip("/")
    for ending in COMPRESSED:
        base = base.removesuffix(ending)
    kind = ENDINGS.get(os.path.splitext(base)[1].lower())
    if kind is not None:
        return kind
    fs, inside = _inside(path)
    names = {name.rsplit("/", 1)[-1] for name in inside}
    if names & {"zarr.json", ".zgroup", ".zmetadata"}:
        return "zarr"
    for name in sorted(inside):
        ending = os.path.splitext(name)[1].lower()
        if ending in (".parquet", ".pq"):
            return "parquet"
    if fs.isdir(path):
        raise InvalidData(f"{path} is a directory without Parquet files, and no Zarr store")
    raise InvalidData(
        f"{path}: cannot tell from its name what kind of file it is; known endings are "
        f"{' '.join(sorted(ENDINGS))}; or give --format csv, parquet, zarr or netcdf"
    )


def expanded(paths: list[str], kind: str) -> list[str]:
    """The files in directories of Parquet files; anything else as it is."""
    if kind != "parquet":
        return paths
    files: list[str] = []
    for path in paths:
        _, inside = _inside(path)
        files += sorted(name for name in inside if name.endswith((".parquet", ".pq"))) or [path]
    return files


def _inside(path: str) -> tuple[Any, list[str]]:
    """The file system of a path and all files below it, if it is a directory."""
    fs, root = fsspec.core.url_to_fs(path)
    if not fs.isdir(root):
        return fs, []
    return fs, [_address(fs, name) for name in fs.find(root)]


def _address(fs: Any, path: str) -> str:
    """A path inside a file system as one that is usable on its own."""
    return path if isinstance(fs, LocalFileSystem) else str(fs.unstrip_protocol(path))


def _alike(given: str) -> str:
    """Files with a similar name in the same directory."""
    folder, name = os.path.split(given)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return ""
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return (
        "; did you mean " + " or ".join(os.path.join(folder, match) for match in close) + "?" if close else ""
    )
