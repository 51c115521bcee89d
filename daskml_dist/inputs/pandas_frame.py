"""pandas frames, and series as targets and weights; rows are taken by position, as in scikit-learn."""

from __future__ import annotations

from typing import Any, ClassVar, final

import dask.dataframe as dd
import pandas as pd
from pandas.api.extensions import ExtensionArray

from daskml_dist.inputs._base import Chosen, Container, Kind, RowMap
from daskml_dist.inputs._blocks import map_rows
from daskml_dist.inputs._chosen import index_of
from daskml_dist.inputs._complaints import string_names
from daskml_dist.inputs._frames import labelled, matrix_dtype, to_matrix, to_vector, vector_dtype
from daskml_dist.inputs.numpy_array import checked_matrix
from daskml_dist.types import AnyArray


def _matrix(X: Any, *, estimator: object = None, min_rows: int = 0) -> AnyArray:
    """The columns of a frame as one NumPy array; a series is left to scikit-learn's complaint."""
    if isinstance(X, pd.DataFrame):
        X = to_matrix(X, matrix_dtype(X.dtypes, list(X.columns), objects=True))
    return checked_matrix(X, estimator=estimator, min_rows=min_rows)


@final
class PandasFrame(Container):
    """Rows in memory, with an index and named columns."""

    kind: ClassVar[Kind] = "pandas"

    def recognises(self, values: object) -> bool:
        return isinstance(values, (pd.DataFrame, pd.Series, pd.Index, ExtensionArray))

    def features(self, X: Any) -> tuple[int, AnyArray | None]:
        if isinstance(X, pd.DataFrame):
            return X.shape[1], string_names(X.columns)
        return checked_matrix(X).shape[1], None

    def matrix(self, X: Any, *, estimator: object, min_rows: int) -> Any:
        return _matrix(X, estimator=estimator, min_rows=min_rows)

    def column(self, values: Any, name: str) -> Any:
        if not isinstance(values, pd.DataFrame):
            return to_vector(values, vector_dtype(values.dtype), name)
        if values.shape[1] == 1:
            return self.column(values.iloc[:, 0], name)[:, None]
        return to_matrix(values, matrix_dtype(values.dtypes, list(values.columns), objects=True))

    def needs_index(self, values: Any) -> bool:
        return True

    def take(self, values: Any, chosen: Chosen) -> Any:
        index = index_of(values, chosen)
        return values.iloc[index] if isinstance(values, (pd.DataFrame, pd.Series)) else values[index]

    def one_chunk_each(self, parts: list[Any]) -> Any:
        parts = [part if isinstance(part, (pd.DataFrame, pd.Series)) else pd.Series(part) for part in parts]
        return dd.concat([dd.from_pandas(part, npartitions=1, sort=False) for part in parts])

    def apply(self, X: Any, row_map: RowMap) -> Any:
        return labelled(map_rows(_matrix(X), row_map), X.index, row_map)
