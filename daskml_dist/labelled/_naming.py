"""Coefficients with the names, labels and units of what they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import xarray as xr

from daskml_dist.labelled._layout import Layout
from daskml_dist.labelled._matching import Matched
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class Naming:
    """What is known of features without looking at them.

    Attributes
    ----------
    layout : what is what.
    dim : the dim of the features of ``coef_``. coords : what lies on it.
    units : of each feature; empty where it has none.
    names : (p,) strings, or None where features have no names.
    """

    layout: Layout
    dim: str
    coords: Any
    units: tuple[str, ...]
    names: AnyArray | None

    def coefficients(self, w: AnyArray, outer: Mapping[str, Any], unit: str) -> xr.DataArray:
        """Coefficients (..., p) as a DataArray.

        Parameters
        ----------
        w : as many dims as ``outer`` has, and that of the features.
        outer : coordinates by dim, None for a dim without.
        unit : what a margin is measured in; empty where it is not known.
        """
        array = xr.DataArray(w, dims=[*outer, self.dim], name="coef").assign_coords(self.coords)
        array = array.assign_coords({dim: values for dim, values in outer.items() if values is not None})
        units = [_per(unit, own) for own in self.units]
        if len(set(units)) == 1 and units[0]:
            array.attrs["units"] = units[0]
        elif any(units):
            array = array.assign_coords(units=(self.dim, units))
        return array


def naming_of(data: Matched) -> Naming:
    """The names of the features of matched arrays.

    One feature dim keeps its name and coordinates; several, or those of each variable of a Dataset, are a
    MultiIndex on the dim "feature", which ``coef_.unstack()`` takes apart. Variables of a Dataset, or the one
    feature that X without feature dims is, lie on "variable".
    """
    dim, coords = _coords(data)
    units = tuple(str(column.attrs.get("units", "")) for column in data.columns)
    each = data.n_features // len(units)
    return Naming(data.layout, dim, coords, tuple(np.repeat(units, each).tolist()), _names(data))


def margin_unit(layout: Layout, identity: bool) -> str:
    """What margins are measured in: in the units of y, or in none where a link lies between."""
    return str(layout.attrs.get("units", "")) if identity else "1"


def _per(unit: str, own: str) -> str:
    """The units of a coefficient; empty where they are not known."""
    if not unit or not own:
        return ""
    return unit if own == "1" else f"{unit} per {own}"


def _coords(data: Matched) -> tuple[str, Any]:
    layout, first = data.layout, data.columns[0]
    taken = {str(name) for array in data.arrays for name in (*array.dims, *array.coords)}
    if not layout.feature_dims:
        dim = _free("variable", taken)
        names = layout.variables or (str(first.name or "X"),)
        return dim, xr.Dataset(coords={dim: list(names)}).coords
    if layout.variables is None and len(layout.feature_dims) == 1:
        [dim] = layout.feature_dims
        others = [name for name, coord in first.coords.items() if coord.dims != (dim,)]
        return dim, first.coords.to_dataset().drop_vars(others).coords
    names = (() if layout.variables is None else ("variable",)) + layout.feature_dims
    levels: list[Any] = [] if layout.variables is None else [list(layout.variables)]
    levels += [first.indexes.get(dim, pd.RangeIndex(first.sizes[dim])) for dim in layout.feature_dims]
    dim = _free("feature", taken)
    codes = np.indices([len(level) for level in levels]).reshape(len(levels), -1)
    index = pd.MultiIndex(levels=levels, codes=list(codes), names=names)  # from_product would sort the labels
    return dim, xr.Coordinates.from_pandas_multiindex(index, dim)


def _free(name: str, taken: set[str]) -> str:
    """A name that nothing else has."""
    while name in taken:
        name += "_"
    return name


def _names(data: Matched) -> AnyArray | None:
    """(p,) names where each feature has one that is a string."""
    layout = data.layout
    if not layout.feature_dims:
        names = layout.variables or (str(data.columns[0].name or "X"),)
        return np.array(names, dtype=object)
    if layout.variables is None and len(layout.feature_dims) == 1:
        labels = data.columns[0].indexes.get(layout.feature_dims[0])
        if labels is not None and all(isinstance(label, str) for label in labels):
            return np.array(list(labels), dtype=object)
    return None
