"""xarray Datasets: each variable is a column, and all of them lie on the one dim of the rows."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, final

import xarray as xr

from daskml_dist.errors import InvalidData
from daskml_dist.inputs._base import Chosen, Container, Kind, RowMap
from daskml_dist.inputs._complaints import REAL_KINDS, string_names
from daskml_dist.inputs.xarray_array import XarrayArray, concatenated
from daskml_dist.types import AnyArray

_ARRAY = XarrayArray()


def row_dim(X: Any) -> Any:
    """The dim on which all variables lie, and nothing else.

    Raises
    ------
    InvalidData
        There is no variable, or one of them lies on other dims.
    """
    if not X.data_vars:
        raise InvalidData("Found array with 0 feature(s): X is a Dataset without variables.")
    dims = {name: variable.dims for name, variable in X.data_vars.items()}
    first, expected = next(iter(dims.items()))
    for name, found in dims.items():
        if len(found) != 1 or found != expected:
            raise InvalidData(
                f"The variables of a Dataset are columns and must lie on one dim, the same for all: {name!r} "
                f"has dims {found}, and {first!r} has {expected}. Choose variables with X[[...]], or join "
                "dims with X.stack(sample=[...])."
            )
    return expected[0]


def joined(X: Any) -> xr.DataArray:
    """The Dataset as a DataArray of rows and features, lazy where it was; nothing is computed."""
    dim = row_dim(X)
    for name, variable in X.data_vars.items():
        if variable.dtype.kind not in REAL_KINDS + "O":
            raise InvalidData(
                f"Variable {name!r} of X is of dtype {variable.dtype}; real numbers are expected. One-hot "
                "encode strings, turn dates into numbers, or leave it out with X.drop_vars."
            )
    feature = "feature"
    while feature == dim or feature in X.coords:
        feature += "_"
    return X.to_dataarray(dim=feature).transpose(dim, feature)  # type: ignore[no-any-return]


def column_of(X: Any) -> xr.DataArray:
    """One variable of a Dataset, whose rows are those of all; a lazy one where there is any."""
    row_dim(X)
    columns = list(X.data_vars.values())
    lazy: xr.DataArray = next((column for column in columns if column.chunks is not None), columns[0])
    return lazy


@final
class XarrayDataset(Container):
    """Rows with a dim and coords whose columns are variables, in memory or lazy."""

    kind: ClassVar[Kind] = "xarray"

    def recognises(self, values: object) -> bool:
        return isinstance(values, xr.Dataset)

    def features(self, X: Any) -> tuple[int, AnyArray | None]:
        row_dim(X)
        return len(X.data_vars), string_names(X.data_vars)

    def matrix(self, X: Any, *, estimator: object, min_rows: int) -> Any:
        return _ARRAY.matrix(joined(X), estimator=estimator, min_rows=min_rows)

    def column(self, values: Any, name: str) -> NoReturn:
        names = list(values.data_vars)
        example = repr(names[0]) if names else "..."
        raise TypeError(
            f"{name} is an xarray Dataset; one of its variables is expected, for instance {name}[{example}]."
        )

    def needs_index(self, values: Any) -> bool:
        dim = row_dim(values)
        in_memory = any(variable.chunks is None for variable in values.data_vars.values())
        return in_memory or any(dim in coord.dims for coord in values.coords.values())

    def take(self, values: Any, chosen: Chosen) -> Any:
        dim = row_dim(values)
        bare = values.drop_vars(list(values.coords))  # labels are taken once and not with each variable
        variables = {name: _ARRAY.take(variable, chosen) for name, variable in bare.data_vars.items()}
        coords = values.coords
        if chosen.index is not None:
            coords = coords.to_dataset().isel({dim: chosen.index}, missing_dims="ignore").coords
        return xr.Dataset(variables, coords=coords, attrs=values.attrs)

    def one_chunk_each(self, parts: list[Any]) -> Any:
        return concatenated(parts, row_dim(parts[0]))

    def apply(self, X: Any, row_map: RowMap) -> Any:
        return _ARRAY.apply(joined(X), row_map)
