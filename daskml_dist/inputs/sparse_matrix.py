"""scipy.sparse matrices and arrays; what is learned from and predicted on stays sparse."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, final

from scipy.sparse import csr_array, issparse, vstack

from daskml_dist.errors import InvalidData
from daskml_dist.inputs._align import in_blocks
from daskml_dist.inputs._base import Chosen, Container, Kind, RowMap
from daskml_dist.inputs._blocks import map_rows
from daskml_dist.inputs._chosen import index_of
from daskml_dist.inputs._complaints import SPARSE, real_matrix, refuse_shape
from daskml_dist.types import AnyArray


def _refuse_vector(X: Any) -> None:
    """Complain about a sparse array that is no matrix."""
    if X.ndim != 2:
        raise InvalidData(
            f"Expected 2D array, got {X.ndim}D array of shape {X.shape} instead. Reshape your data with "
            "X.reshape(-1, 1) if it has a single feature."
        )


def _matrix(X: Any, min_rows: int = 0) -> Any:
    """X as a csr_array of real numbers; one in that format is not copied."""
    _refuse_vector(X)
    refuse_shape(X.shape, min_rows)
    return csr_array(real_matrix(X))


@final
class SparseMatrix(Container):
    """Rows in memory of which only what is not zero is stored, without names."""

    kind: ClassVar[Kind] = "scipy sparse"

    def recognises(self, values: object) -> bool:
        return bool(issparse(values))

    def features(self, X: Any) -> tuple[int, AnyArray | None]:
        _refuse_vector(X)
        return int(X.shape[1]), None

    def matrix(self, X: Any, *, estimator: object, min_rows: int) -> Any:
        return _matrix(X, min_rows)

    def column(self, values: Any, name: str) -> NoReturn:
        raise TypeError(SPARSE.format(f" for {name}"))

    def needs_index(self, values: Any) -> bool:
        return True

    def take(self, values: Any, chosen: Chosen) -> Any:
        return csr_array(values)[index_of(values, chosen)]

    def one_chunk_each(self, parts: list[Any]) -> Any:
        return in_blocks(vstack(parts, format="csr"), tuple(part.shape[0] for part in parts))

    def apply(self, X: Any, row_map: RowMap) -> Any:
        return map_rows(_matrix(X), row_map)
