"""CSV files, cut at line ends into blocks of bytes; a compressed file is one block."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import final

import fsspec
import pandas as pd
from fsspec.utils import read_block

from daskml_dist.errors import InvalidData

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
DAMAGED = (OSError, EOFError, zlib.error, ValueError)


@final
@dataclass(frozen=True)
class CsvBlock:
    """Bytes of a CSV file; ``length`` None for all of it."""

    path: str
    columns: tuple[str, ...]
    sep: str
    na_values: tuple[str, ...]
    offset: int = 0
    length: int | None = None

    def read(self, columns: Sequence[str], text: Sequence[str]) -> pd.DataFrame:
        """These columns; those in ``text`` unparsed."""
        try:
            with open_bytes(self.path) as file:
                data = (
                    file.read() if self.length is None else read_block(file, self.offset, self.length, b"\n")
                )
            return self._parse(data, list(columns), list(text))
        except UnicodeDecodeError as error:
            raise InvalidData(f"{self.path} is not in UTF-8 ({error}); convert it first") from None
        except DAMAGED as error:
            raise InvalidData(f"{self.path} cannot be read as CSV: {error}") from None

    def _parse(self, data: bytes, columns: list[str], text: list[str]) -> pd.DataFrame:
        first = self.offset == 0
        if not data.strip() or (first and data.count(b"\n") <= 1 and not data.partition(b"\n")[2].strip()):
            return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
        line = data.split(b"\n", 2)[1 if first else 0].decode()
        if len(next(csv.reader([line], delimiter=self.sep), [])) > len(self.columns):
            # pandas would take the first field for an index
            raise ValueError(f"its lines have more fields than the {len(self.columns)} names of the header")
        frame = pd.read_csv(
            BytesIO(data),
            sep=self.sep,
            header=0 if first else None,
            names=list(self.columns),
            dtype=dict.fromkeys(text, str),
            na_values=list(self.na_values),
            skipinitialspace=True,  # a field of blanks is empty
            low_memory=False,
        )
        return frame[columns]


def open_bytes(path: str) -> fsspec.core.OpenFile:
    """The file, decompressed on the way."""
    return fsspec.open(path, "rb", compression=compression_of(path))


def compression_of(path: str) -> str | None:
    """How a file is compressed, by its ending."""
    return next((name for ending, name in COMPRESSIONS.items() if path.endswith(ending)), None)


def pieces(
    paths: list[str], sep: str | None, na_values: tuple[str, ...], blocksize: int | None
) -> tuple[list[str], list[CsvBlock], list[str]]:
    """The columns, the blocks of all files, and notes."""
    mark = sep or ("\t" if ".tsv" in paths[0] else ",")
    columns = header(paths[0], mark)
    blocks: list[CsvBlock] = []
    notes = []
    for path in paths:
        if header(path, mark) != columns:
            raise InvalidData(
                f"{path} has other columns than {paths[0]}; all files must have the same header"
            )
        whole = CsvBlock(path, tuple(columns), mark, na_values)
        fs, inside = fsspec.core.url_to_fs(path)
        size = int(fs.size(inside) or 0)
        if compression_of(path) is not None or blocksize is None or size <= blocksize:
            if compression_of(path) is not None and size > 256 << 20:
                notes.append(f"{path} is compressed and read as one piece; Parquet would be read in parallel")
            blocks.append(whole)
            continue
        for offset in range(0, size, blocksize):
            blocks.append(CsvBlock(path, tuple(columns), mark, na_values, offset, blocksize))
    return columns, blocks, notes


def header(path: str, sep: str) -> list[str]:
    """The names in the first line."""
    try:
        with open_bytes(path) as file:
            line = file.readline()
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidData(f"{path} is not in UTF-8 ({error}); convert it first") from None
    except DAMAGED as error:
        raise InvalidData(f"{path} cannot be read as CSV: {error}") from None
    if not text.strip():
        raise InvalidData(f"{path} is empty: a header line with the names of the columns is expected")
    names = next(csv.reader([text], delimiter=sep), [])
    if len(names) == 1:
        other = next((mark for mark in (";", "\t", "|", ",") if mark != sep and text.count(mark) > 1), None)
        if other is not None:
            raise InvalidData(f"{path} has a single column with the separator {sep!r}; give --sep {other!r}")
    return _distinct([name.strip() or f"Unnamed: {i}" for i, name in enumerate(names)])


def _distinct(names: list[str]) -> list[str]:
    """The names, repeated ones numbered."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        out.append(f"{name}.{count}" if count else name)
    return out
