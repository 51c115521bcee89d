"""Parquet files, cut into runs of row groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as arrow

from daskml_dist.errors import InvalidData


@final
@dataclass(frozen=True)
class RowGroups:
    """Some row groups of a Parquet file."""

    path: str
    fragment: Any
    schema: Any

    def read(self, columns: Sequence[str], text: Sequence[str]) -> pd.DataFrame:
        """These columns; text is typed in the file."""
        try:
            table = self.fragment.to_table(schema=self.schema, columns=list(columns))
        except (pa.ArrowException, OSError) as error:
            raise InvalidData(f"{self.path} cannot be read as Parquet: {_short(error)}") from None
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
        return frame


def pieces(paths: list[str], blocksize: int | None) -> tuple[list[str], list[RowGroups], list[str]]:
    """The columns, runs of row groups of about ``blocksize`` bytes, and notes."""
    fs, _ = fsspec.core.url_to_fs(paths[0])
    inside = [fsspec.core.url_to_fs(path)[1] for path in paths]
    groups = []
    try:
        dataset = arrow.dataset(inside, filesystem=fs, format="parquet", partitioning="hive")
        for fragment in dataset.get_fragments():
            groups += [
                RowGroups(fragment.path, fragment.subset(row_group_ids=ids), dataset.schema)
                for ids in _runs(fragment.row_groups, blocksize)
            ]
    except (pa.ArrowException, OSError) as error:
        raise InvalidData(f"{_named(paths, error)} cannot be read as Parquet: {_short(error)}") from None
    names = [str(name) for name in dataset.schema.names]
    return [name for name in names if not name.startswith("__index_level_")], groups, []


def _runs(row_groups: list[Any], blocksize: int | None) -> list[list[int]]:
    """Neighbouring row groups, together until they reach ``blocksize``."""
    runs: list[list[int]] = []
    size = 0
    for group in row_groups:
        if not runs or (blocksize is not None and size + group.total_byte_size > blocksize):
            runs.append([])
            size = 0
        runs[-1].append(group.id)
        size += group.total_byte_size
    return runs


def _named(paths: list[str], error: Exception) -> str:
    """The file that the error is about, as far as it says."""
    return next((path for path in paths if path in str(error)), paths[0])


def _short(error: Exception) -> str:
    """What Arrow says, without the path and its own advice."""
    if any(word in str(error) for word in ("magic bytes", "footer", "file size is 0")):
        return "its end is missing, so that it is truncated or no Parquet file"
    return str(error).split("Is this a")[0].split("\n")[0].strip()
