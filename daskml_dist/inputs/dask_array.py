"""dask arrays, of known and unknown chunk lengths."""

from __future__ import annotations

from typing import Any, ClassVar, final

import dask.array as da

from daskml_dist.inputs._base import Chosen, Container, Kind, RowMap
from daskml_dist.inputs._blocks import map_rows_lazily
from daskml_dist.inputs._chosen import joined_chunks, taken_chunks
from daskml_dist.inputs._complaints import lazy_matrix, refuse_foreign_blocks, refuse_shape
from daskml_dist.types import AnyArray


@final
class DaskArray(Container):
    """Lazy rows in chunks, without names."""

    kind: ClassVar[Kind] = "dask array"

    def recognises(self, values: object) -> bool:
        return isinstance(values, da.Array)

    def features(self, X: Any) -> tuple[int, AnyArray | None]:
        refuse_shape(X.shape, 0)
        return int(X.shape[1]), None

    def matrix(self, X: Any, *, estimator: object, min_rows: int) -> Any:
        return lazy_matrix(X, min_rows)

    def column(self, values: Any, name: str) -> Any:
        refuse_foreign_blocks(values, name)
        return values

    def needs_index(self, values: Any) -> bool:
        return False

    def take(self, values: Any, chosen: Chosen) -> Any:
        return taken_chunks(values, chosen)

    def one_chunk_each(self, parts: list[Any]) -> Any:
        return joined_chunks(parts)

    def apply(self, X: Any, row_map: RowMap) -> Any:
        return map_rows_lazily(lazy_matrix(X, 0), row_map)
