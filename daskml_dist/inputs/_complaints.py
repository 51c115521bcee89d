"""What is refused about arrays and names, each with what was given and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from dask.array.utils import meta_from_array
from dask.highlevelgraph import HighLevelGraph
from dask.task_spec import Task, TaskRef
from dask.tokenize import tokenize
from scipy.sparse import csr_array, hstack, issparse

from daskml_dist.errors import InvalidData, NonFiniteData
from daskml_dist.types import AnyArray

REAL_KINDS = "biuf"

SPARSE = (
    "Sparse data was passed{0}, but dense data is required. Use '.toarray()' to convert to a dense "
    "numpy array, or '.map_blocks(lambda block: block.toarray())' for a dask array of sparse blocks."
)

RESHAPE = (
    "Reshape your data either using array.reshape(-1, 1) if your data has a single feature or "
    "array.reshape(1, -1) if it contains a single sample."
)


def string_names(names: Iterable[object]) -> AnyArray | None:
    """Column names as an object array when all of them are strings, else None.

    Raises
    ------
    TypeError
        Some are strings and some are not; the text is scikit-learn's.
    """
    listed = list(names)
    strings = [isinstance(name, str) for name in listed]
    if listed and all(strings):
        return np.array([str(name) for name in listed], dtype=object)
    if any(strings):
        types = sorted({type(name).__qualname__ for name in listed})
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your input "
            f"has {types} as feature name / column name types. If you want feature names to be stored "
            "and validated, you must convert them all to strings, by using "
            "X.columns = X.columns.astype(str) for example. Otherwise you can remove feature / column "
            "names from your input data, or convert them all to a non-string data type."
        )
    return None


def has_sparse_blocks(array: Any) -> bool:
    """Say whether this is a dask array that is known to hold scipy.sparse blocks."""
    return isinstance(array, da.Array) and bool(issparse(meta_from_array(array)))


def refuse_sparse(array: Any, name: str) -> None:
    """Complain about scipy.sparse data and dask arrays of them; the first words are scikit-learn's."""
    if issparse(array) or has_sparse_blocks(array):
        raise TypeError(SPARSE.format(f" for {name}"))


def refuse_foreign_blocks(array: Any, name: str) -> None:
    """Complain about a dask array whose blocks are not plain NumPy arrays."""
    refuse_sparse(array, name)
    meta = meta_from_array(array)
    if isinstance(meta, np.ma.MaskedArray):
        refuse_masked(meta, name)
    if isinstance(meta, np.ndarray):
        return
    module = type(meta).__module__.partition(".")[0]
    cure = "lambda block: block.tocsr()" if module == "sparse" else "numpy.asarray"
    raise TypeError(
        f"{name} is a dask array of {module}.{type(meta).__name__} blocks; NumPy or scipy.sparse blocks are "
        f"expected. Convert it with {name}.map_blocks({cure})."
    )


def refuse_masked(array: object, name: str) -> None:
    """Complain about masked arrays, whose mask would be ignored."""
    if isinstance(array, np.ma.MaskedArray):
        raise InvalidData(
            f"{name} is a masked array, whose mask would be ignored. Drop the masked rows, or impute "
            f"them and pass {name}.filled()."
        )


def real_matrix(array: Any) -> Any:
    """The features with a real dtype: extended precision becomes float64, the others are kept."""
    dtype = array.dtype
    if dtype.kind == "c":
        raise InvalidData(f"Complex data not supported: X is {dtype}. Pass its real and imaginary part.")
    if dtype.kind not in REAL_KINDS:
        raise InvalidData(
            f"X is of dtype {dtype}; numbers are expected. One-hot encode strings and categories, turn "
            "dates into numbers, and convert objects that are numbers with X.astype(float)."
        )
    return array.astype(np.float64) if dtype == np.longdouble else array


def refuse_shape(shape: tuple[float, ...], min_rows: int) -> None:
    """Complain about lazy features that are not 2-D, or have no rows or no columns."""
    text = "(" + "".join("?, " if np.isnan(n) else f"{int(n)}, " for n in shape).rstrip(" ")
    text = (text if len(shape) == 1 else text.rstrip(",")) + ")"
    if len(shape) != 2:
        cure = RESHAPE if len(shape) < 2 else "Reshape it to one row a sample and one column a feature."
        raise InvalidData(f"Expected 2D array, got {len(shape)}D array of shape {text} instead. {cure}")
    rows, columns = shape
    if np.isnan(columns):
        raise InvalidData(
            "The number of columns of X is not known. Call X.compute_chunk_sizes(), or give map_blocks "
            "the chunks of its result."
        )
    if rows < min_rows:
        raise InvalidData(
            f"Found array with {int(rows)} sample(s) (shape={text}) while a minimum of {min_rows} is "
            "required."
        )
    if columns < 1:
        raise InvalidData(f"Found array with 0 feature(s) (shape={text}) while a minimum of 1 is required.")


def lazy_matrix(array: Any, min_rows: int) -> Any:
    """A dask array as features: checked as far as is possible unread, columns in one chunk."""
    refuse_shape(array.shape, min_rows)
    if has_sparse_blocks(array):
        return side_by_side(real_matrix(array))
    refuse_foreign_blocks(array, "X")
    array = real_matrix(array)
    return array if array.numblocks[1] == 1 else array.rechunk({1: -1}, method="tasks")


def side_by_side(array: Any) -> Any:
    """A dask array of sparse blocks with its column chunks joined, lazily."""
    if array.numblocks[1] == 1:
        return array
    name = f"side-by-side-{tokenize(array.name)}"
    layer: dict[Any, Any] = {
        (name, i, 0): Task(
            (name, i, 0), _joined, *(TaskRef((array.name, i, j)) for j in range(array.numblocks[1]))
        )
        for i in range(array.numblocks[0])
    }
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[array])
    meta = csr_array((0, array.shape[1]), dtype=array.dtype)
    return da.Array(graph, name, (array.chunks[0], (array.shape[1],)), meta=meta)


def _joined(*blocks: Any) -> Any:
    """Blocks of the same rows as one csr_array."""
    return hstack([csr_array(block) for block in blocks], format="csr")


def refuse_width(n_columns: int, n_features: int) -> None:
    """Complain about rows that are wider or narrower than those that were learned from."""
    if n_columns != n_features:
        raise InvalidData(f"X has {n_columns} features, but {n_features} features are expected as input.")


def refuse_nonfinite(
    values: AnyArray, name: str, names: AnyArray | None = None, chunk: int | None = None
) -> None:
    """Complain about NaN and infinity in numbers, and about missing values in objects.

    Raises
    ------
    NonFiniteData
        How many there are, and where the first one is.
    """
    if issparse(values):
        _refuse_nonfinite_entries(values, name, names, chunk)
        return
    if values.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(values.sum()):
                return
        bad = ~np.isfinite(values)
        missing = bool(np.isnan(values).any())
    elif values.dtype.kind == "O":
        bad = np.asarray(pd.isna(values), dtype=bool)
        missing = True
    else:
        return
    if bad.any():
        what = "NaN" if missing else f"infinity or a value too large for {values.dtype!r}"
        raise NonFiniteData(f"Input {name} contains {what}.\n{_where(bad, names, chunk)}")


def _refuse_nonfinite_entries(
    rows: Any, name: str, names: AnyArray | None = None, chunk: int | None = None
) -> None:
    """The same for what is stored in a csr_array."""
    bad = ~np.isfinite(rows.data) if rows.dtype.kind == "f" else np.zeros(0, dtype=bool)
    if not bad.any():
        return
    first = int(np.flatnonzero(bad)[0])
    row = int(np.searchsorted(rows.indptr, first, side="right")) - 1
    what = "NaN" if np.isnan(rows.data).any() else f"infinity or a value too large for {rows.dtype!r}"
    place = _told(int(bad.sum()), (row, int(rows.indices[first])), names, chunk)
    raise NonFiniteData(f"Input {name} contains {what}.\n{place}")


def _where(bad: AnyArray, names: AnyArray | None, chunk: int | None) -> str:
    """How many bad values there are, where the first is, and what to do."""
    return _told(int(bad.sum()), tuple(int(i) for i in np.argwhere(bad)[0]), names, chunk)


def _told(count: int, first: tuple[int, ...], names: AnyArray | None, chunk: int | None) -> str:
    """The same in words, from their number and the place of the first."""
    place = f"row {first[0]}" + (f" of chunk {chunk}" if chunk is not None else "")
    if len(first) > 1:
        place += f", column {first[1]}" + (f" ({names[first[1]]!r})" if names is not None else "")
    return f"Values that are not finite: {count}, the first in {place}. Impute or drop them."


def is_lazy(values: object) -> bool:
    """Say whether a read column or matrix is a dask array."""
    return isinstance(values, da.Array)
