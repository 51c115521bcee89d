"""X, y, weights, offset and groups, brought together by the names of their dims; nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, final

import xarray as xr

from daskml_dist.errors import InvalidData
from daskml_dist.labelled._labels import refuse_other_labels
from daskml_dist.labelled._layout import Asked, Layout, names_of

REAL_KINDS = "biuf"


@final
@dataclass(frozen=True)
class Matched:
    """Arrays whose dims are a part of the outer ones, in their order, and feature dims behind.

    Attributes
    ----------
    layout : what is what.
    columns : the variables of X, or X itself.
    parts : "y", and "sample_weight", "offset" and "groups" where they were given as arrays.
    weight : one weight for all samples, or None.
    """

    layout: Layout
    columns: tuple[xr.DataArray, ...]
    parts: Mapping[str, xr.DataArray]
    weight: float | None = None

    @property
    def outer(self) -> tuple[str, ...]:
        """The dims of cells and of samples."""
        return self.layout.cell_dims + self.layout.sample_dims

    @property
    def n_features(self) -> int:
        """The number of features."""
        sizes = self.columns[0].sizes
        wide = 1
        for dim in self.layout.feature_dims:
            wide *= sizes[dim]
        return wide * len(self.columns)

    @property
    def arrays(self) -> tuple[xr.DataArray, ...]:
        """All of them, X first."""
        return self.columns + tuple(self.parts.values())


def matched(asked: Asked, X: Any, parts: Mapping[str, Any]) -> Matched:
    """Bring a fit's data together.

    Parameters
    ----------
    asked : what ``fit`` was asked.
    X : DataArray or Dataset.
    parts : "y", a DataArray; the others are DataArrays on some of its dims, names of coordinates (groups),
        numbers (weights) or None.

    Raises
    ------
    TypeError
        Something is no xarray object.
    InvalidData, ChunkMismatch
        Dims that do not exist, or do not fit together; labels that differ.
    """
    y = _required(parts["y"], "y")
    columns = columns_of(X)
    given = {name: part for name, part in parts.items() if part is not None and name != "y"}
    weight = given.get("sample_weight")
    number = float(weight) if isinstance(weight, Real) else None
    if number is not None:
        del given["sample_weight"]
    if isinstance(given.get("groups"), str):
        given["groups"] = _coordinate(given["groups"], y, "groups")
    arrays = {"y": y} | {name: _required(part, name) for name, part in given.items()}
    layout = _layout(asked, X, columns, y)
    outer = layout.cell_dims + layout.sample_dims
    inside = layout.sample_dims if not layout.mapped else outer
    for name, array in arrays.items():
        refuse_other_dims(array, name, inside, "the dims of the samples")
    refuse_other_labels({"X": X} | arrays)
    behind = outer + layout.feature_dims
    return Matched(
        layout=layout,
        columns=tuple(ordered(column, behind) for column in columns),
        parts={name: ordered(array, outer) for name, array in arrays.items()},
        weight=number,
    )


def columns_of(X: Any) -> list[xr.DataArray]:
    """The variables of a Dataset, or the DataArray itself; of real numbers.

    Raises
    ------
    TypeError
        Something else.
    InvalidData
        No variables, or no numbers.
    """
    if isinstance(X, xr.DataArray):
        columns = {X.name or "X": X}
    elif isinstance(X, xr.Dataset):
        columns = dict(X.data_vars)
    else:
        raise TypeError(
            f"X is a {type(X).__module__}.{type(X).__name__}; sample_dims, feature_dims and fit_over are for "
            "an xarray DataArray or Dataset. Give one, or leave them out."
        )
    if not columns:
        raise InvalidData("Found array with 0 feature(s): X is a Dataset without variables.")
    for name, column in columns.items():
        if column.dtype.kind not in REAL_KINDS:
            raise InvalidData(
                f"{name!r} of X is of dtype {column.dtype}; real numbers are expected. Turn dates into "
                "numbers, one-hot encode strings, or leave it out with X.drop_vars."
            )
    return list(columns.values())


def refuse_other_dims(array: xr.DataArray, name: str, allowed: tuple[str, ...], what: str) -> None:
    """Complain about dims that mean nothing."""
    other = [dim for dim in array.dims if dim not in allowed]
    if other:
        raise InvalidData(
            f"{name} has the dims {array.dims}, of which {other!r} are not among {what} {allowed!r}. "
            "Add them "
            "to sample_dims, name them in fit_over for a model of each of their labels, or take one "
            "label with "
            f"{name}.isel(...)."
        )


def ordered(array: xr.DataArray, dims: tuple[str, ...]) -> xr.DataArray:
    """An array with its dims in this order, which costs nothing."""
    return array.transpose(*(dim for dim in dims if dim in array.dims))


def _required(values: Any, name: str) -> xr.DataArray:
    if isinstance(values, xr.DataArray):
        return values
    raise TypeError(
        f"{name} is a {type(values).__module__}.{type(values).__name__}; with sample_dims an xarray "
        "DataArray "
        f"is expected, whose dims say where it belongs. Make one: xarray.DataArray({name}, dims=[...])."
    )


def _coordinate(name: str, y: xr.DataArray, parameter: str) -> xr.DataArray:
    if name not in y.coords:
        raise InvalidData(
            f"{parameter}={name!r} is neither a dim nor a coordinate of y: there are {list(y.coords)}."
        )
    found: xr.DataArray = y.coords[name]
    return found


def _layout(asked: Asked, X: Any, columns: list[xr.DataArray], y: xr.DataArray) -> Layout:
    """What each dim is."""
    cells, group = _cells(asked.fit_over, y)
    samples = tuple(dim for dim in y.dims if dim not in cells)
    if asked.sample_dims is not None:
        named = names_of(asked.sample_dims, "sample_dims")
        _refuse_unknown(named, y, "sample_dims", "y")
        if both := [dim for dim in named if dim in cells]:
            raise InvalidData(f"{both!r} are in sample_dims and in fit_over; a dim can be one of them.")
        refuse_other_dims(y, "y", tuple(map(str, named + cells)), "sample_dims and fit_over")
        samples = tuple(dim for dim in y.dims if dim in named)
    if not samples:
        raise InvalidData(f"No dim of y {y.dims!r} is left along which samples lie: fit_over takes all.")
    features = _features(asked.feature_dims, columns, tuple(map(str, samples + cells)))
    chunks = {str(dim): y.chunksizes[dim] for dim in cells if dim in y.chunksizes}
    return Layout(
        sample_dims=tuple(map(str, samples)),
        cell_dims=tuple(map(str, cells)),
        group=group,
        variables=tuple(map(str, X.data_vars)) if isinstance(X, xr.Dataset) else None,
        feature_dims=features,
        missing=asked.missing,
        target=None if y.name is None else str(y.name),
        attrs=dict(y.attrs),
        cell_chunks={dim: tuple(sizes) for dim, sizes in chunks.items()},
    )


def _cells(fit_over: Any, y: xr.DataArray) -> tuple[tuple[Any, ...], str | None]:
    """The dims that have a model for each label, in the order of y, and the name of groups."""
    if fit_over is None:
        return (), None
    if isinstance(fit_over, xr.DataArray):
        return (), str(fit_over.name or "group")
    named = names_of(fit_over, "fit_over")
    groups = [name for name in named if name not in y.dims]
    for name in groups:
        _coordinate(name, y, "fit_over")
    if len(groups) > 1:
        raise InvalidData(
            f"fit_over={fit_over!r} names several coordinates {groups!r}; there can be one, and any "
            "number of "
            "dims. Join their labels to one coordinate."
        )
    return tuple(dim for dim in y.dims if dim in named), groups[0] if groups else None


def _features(given: Any, columns: list[xr.DataArray], outer: tuple[str, ...]) -> tuple[str, ...]:
    """The feature dims: those that are named, or all that are no others."""
    if given is None:
        features = tuple(dim for dim in columns[0].dims if dim not in outer)
    else:
        features = names_of(given, "feature_dims")
        twice = [dim for dim in features if dim in outer]
        if twice:
            raise InvalidData(
                f"feature_dims={given!r} has {twice!r}, along which samples or cells lie (dims of y: "
                f"{outer!r}); a dim is one or the other."
            )
    for number, column in enumerate(columns):
        name = f"variable {column.name!r} of X" if len(columns) > 1 else "X"
        _refuse_unknown(features, column, "feature_dims", name)
        other = [dim for dim in column.dims if dim not in outer + features]
        if other:
            raise InvalidData(
                f"{name} has the dims {column.dims}, of which {other!r} are neither among the dims of y "
                f"{outer!r} nor among those of the features {features!r}. Name them in feature_dims"
                + ("" if number == 0 else ", which all variables must have")
                + f", or take one label with X.isel({other[0]}=0)."
            )
    return tuple(map(str, features))


def _refuse_unknown(dims: tuple[Any, ...], array: xr.DataArray, parameter: str, name: str) -> None:
    unknown = [dim for dim in dims if dim not in array.dims]
    if unknown:
        raise InvalidData(
            f"{parameter} names {unknown!r}, which {name} does not have: its dims are {array.dims}."
        )
