"""Inputs: numpy, pandas, dask and xarray containers, recognised, read unread, and given back in kind."""

from daskml_dist.inputs._apply import apply
from daskml_dist.inputs._base import Kind
from daskml_dist.inputs._lazy import is_lazy, made_lazy
from daskml_dist.inputs._read import measure_needed, read, row_counts
from daskml_dist.inputs._recognise import features_of, kind_of
from daskml_dist.inputs._scored import read_scored, to_measure

__all__ = [
    "Kind",
    "apply",
    "features_of",
    "is_lazy",
    "kind_of",
    "made_lazy",
    "measure_needed",
    "read",
    "read_scored",
    "row_counts",
    "to_measure",
]
