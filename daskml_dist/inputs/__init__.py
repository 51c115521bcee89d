"""Inputs: numpy, pandas, dask and xarray containers, recognised, read unread, and given back in kind."""

from daskml_dist.inputs._apply import apply
from daskml_dist.inputs._base import Chosen, Kind
from daskml_dist.inputs._lazy import is_lazy, is_sparse, made_lazy
from daskml_dist.inputs._numbered import Settled, numbered
from daskml_dist.inputs._read import measure_needed, read
from daskml_dist.inputs._recognise import features_of, kind_of
from daskml_dist.inputs._rows import (
    chunk_rows,
    column_in_chunks,
    index_needed,
    matrix_in_chunks,
    one_chunk_each,
    row_counts,
    take,
)
from daskml_dist.inputs._scored import read_scored, to_measure

__all__ = [
    "Chosen",
    "Kind",
    "Settled",
    "apply",
    "chunk_rows",
    "column_in_chunks",
    "features_of",
    "index_needed",
    "is_lazy",
    "is_sparse",
    "kind_of",
    "made_lazy",
    "matrix_in_chunks",
    "measure_needed",
    "numbered",
    "one_chunk_each",
    "read",
    "read_scored",
    "row_counts",
    "take",
    "to_measure",
]
