"""NumPy arrays, lists and everything else that NumPy makes an array of."""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np
from sklearn.utils import check_array

from daskml_dist.inputs._align import in_blocks
from daskml_dist.inputs._base import Chosen, Container, Kind, RowMap
from daskml_dist.inputs._blocks import map_rows
from daskml_dist.inputs._chosen import index_of
from daskml_dist.inputs._complaints import real_matrix, refuse_masked
from daskml_dist.types import AnyArray


def checked_matrix(X: Any, *, estimator: object = None, min_rows: int = 0) -> AnyArray:
    """(n, p) real numbers in memory; scikit-learn checks and words its own complaints."""
    refuse_masked(X, "X")
    checked = check_array(
        X,
        dtype="numeric",
        ensure_all_finite=False,
        ensure_min_samples=min_rows,
        ensure_min_features=1,
        accept_sparse=False,
        input_name="X",
        estimator=estimator,
    )
    matrix: AnyArray = real_matrix(checked)
    return matrix


@final
class NumpyArray(Container):
    """Rows in memory, without names."""

    kind: ClassVar[Kind] = "numpy"

    def recognises(self, values: object) -> bool:
        return isinstance(values, (np.ndarray, list, tuple))

    def features(self, X: Any) -> tuple[int, AnyArray | None]:
        if isinstance(X, np.ndarray) and X.ndim == 2:
            return X.shape[1], None
        return checked_matrix(X).shape[1], None

    def matrix(self, X: Any, *, estimator: object, min_rows: int) -> Any:
        return checked_matrix(X, estimator=estimator, min_rows=min_rows)

    def column(self, values: Any, name: str) -> Any:
        refuse_masked(values, name)
        return values

    def needs_index(self, values: Any) -> bool:
        return True

    def take(self, values: Any, chosen: Chosen) -> Any:
        index = index_of(values, chosen)
        if isinstance(values, (list, tuple)):
            return [values[i] for i in index.tolist()]
        return np.asarray(values)[index]

    def one_chunk_each(self, parts: list[Any]) -> Any:
        return in_blocks(np.concatenate(parts), tuple(len(part) for part in parts))

    def apply(self, X: Any, row_map: RowMap) -> Any:
        return map_rows(checked_matrix(X), row_map)
