"""What the training data looked like: edges from their quantiles, and how many rows lie between them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.errors import InvalidData
from daskml_dist.types import AnyArray, FloatArray

Counts = NDArray[np.int64]

SCORE = "(score)"
"""What the column of the model's answers is called; brackets keep it apart from names of features."""
MOST_BINS = 120  # a cell's number fits int8
_ROWS, _WIDTH = 256, 512  # rows that are counted at once, and values that lie side by side


@final
@dataclass(frozen=True, eq=False)
class Reference:
    """Thresholds t_0 < t_1 < ... < t_k for each column, and how many rows of the training lie in each cell.

    A value x is in cell #{j: t_j <= x}: cell 0 is below everything seen, 1 to k are the bins, k + 1 is above
    everything seen. A missing value (NaN) is in the last cell. t_0 is the smallest value seen, t_k the next
    number after the largest. Columns with fewer bins have NaN for the thresholds that they lack, and zeros in
    the cells between.

    Attributes
    ----------
    names : of the columns, the features first, then those of the model's answers.
    scores : how many of the columns are answers of the model, not features.
    thresholds : (columns, bins + 1).
    counts : (columns, bins + 3), rows of the training data.
    """

    names: tuple[str, ...]
    scores: int
    thresholds: FloatArray
    counts: Counts

    @property
    def features(self) -> int:
        """How many of the columns are features."""
        return len(self.names) - self.scores

    @property
    def cells(self) -> int:
        """Cells of a column: the bins, below, above and missing."""
        return int(self.thresholds.shape[1]) + 2

    def to_arrays(self) -> dict[str, AnyArray]:
        """The same as arrays of numbers, for a file with others; `from_arrays` finds them there."""
        names = json.dumps(self.names, ensure_ascii=True).encode("ascii")
        return {
            "drift.names": np.frombuffer(names, dtype=np.uint8).copy(),
            "drift.scores": np.array([self.scores], dtype=np.int64),
            "drift.thresholds": self.thresholds,
            "drift.counts": self.counts,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> Reference | None:
        """Find what `to_arrays` wrote, and believe nothing of it; None where nothing of it is there.

        Raises
        ------
        InvalidData
            For anything that `reference` cannot have made.
        """
        own = {name[6:]: array for name, array in arrays.items() if name.startswith("drift.")}
        if not own:
            return None
        try:
            names = json.loads(np.asarray(own["names"], dtype=np.uint8).tobytes())
            scores = int(np.asarray(own["scores"]).reshape(()))
            found = cls(tuple(names), scores, np.array(own["thresholds"]), np.array(own["counts"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidData(
                f"these arrays are no reference of drift ({error!r}); register the model again"
            ) from error
        _check(found)
        return found


def reference(
    X: AnyArray, names: Sequence[str], *, scores: AnyArray | None = None, bins: int = 20
) -> Reference:
    """Bins with about as many rows each, and the rows counted in them.

    A column with no more distinct values than `bins` has a bin for each value; a value that fills several
    bins has one of its own.

    Parameters
    ----------
    X : (n, p) numbers; NaN is a missing value, infinities are not counted among the values.
    names : of the p columns.
    scores : (n,) or (n, k) answers of the model on the same rows, which are watched like columns; or None.
    bins : of a column, 2 to 120.

    Raises
    ------
    InvalidData
        For shapes that do not fit, and no rows.

    Examples
    --------
    >>> import numpy as np
    >>> seen = reference(np.array([[1.0], [1.0], [2.0], [np.nan]]), ["doors"])
    >>> seen.counts[0, [0, 1, 2, 3, -1]]  # below, doors 1, doors 2, above, missing
    array([0, 2, 1, 0, 1])
    """
    data = np.asarray(X, dtype=np.float64)
    if data.ndim != 2 or data.shape[1] != len(names):
        raise InvalidData(f"{len(names)} names were given, and X has the shape {data.shape}")
    answers = 0
    if scores is not None:
        answers = 1 if np.ndim(scores) == 1 else np.shape(scores)[-1]
        data = np.concatenate([data, answers_of(scores, len(data), answers)], axis=1)
    if not data.size:
        raise InvalidData(f"a reference of drift needs rows and columns, and X has the shape {data.shape}")
    if not 2 <= bins <= MOST_BINS:
        raise InvalidData(f"bins={bins}; give 2 to {MOST_BINS}")
    thresholds = np.full((data.shape[1], bins + 1), np.nan)
    for row, values in zip(thresholds, data.T, strict=True):
        found = _thresholds(values[np.isfinite(values)], bins)
        row[: len(found)] = found
    return Reference((*names, *_score_names(answers)), answers, thresholds, count(thresholds, data))


def answers_of(scores: AnyArray | None, rows: int, answers: int) -> FloatArray:
    """The model's answers, (rows, answers), or a complaint."""
    if scores is None:
        raise InvalidData("the reference has scores: give those of these rows too")
    scores = np.asarray(scores, dtype=np.float64)
    scores = scores[:, np.newaxis] if scores.ndim == 1 else scores
    if scores.shape != (rows, answers):
        raise InvalidData(f"scores of shape {(rows, answers)} were expected, not {scores.shape}")
    return scores


def count(thresholds: FloatArray, data: FloatArray) -> Counts:
    """How many values lie in each cell, (columns, bins + 3), for data (n, columns)."""
    columns, cells = thresholds.shape[0], thresholds.shape[1] + 2
    # so many rows side by side, a power of two: long inner loops of NumPy, and whole blocks fill them
    fold = 1 << min(max(_WIDTH // columns, 1), _ROWS).bit_length() - 1
    tiled = np.tile(thresholds.T, fold)
    base = np.tile(np.arange(0, columns * cells, cells), fold)
    total, short = np.zeros(columns * cells, dtype=np.int64), 0
    for start in range(0, len(data), _ROWS):
        block = data[start : start + _ROWS]
        short = -len(block) % fold  # of the last block
        if short:
            block = np.concatenate([block, np.full((short, columns), np.nan)])
        cell = _cells(tiled, np.ascontiguousarray(block).reshape(-1, columns * fold))
        total += np.bincount((cell + base).ravel(), minlength=columns * cells)
    counts = total.reshape(columns, cells)
    counts[:, -1] -= short
    return counts


def _cells(thresholds: FloatArray, data: FloatArray) -> AnyArray:
    """Compares with every threshold: faster than a search in each column while the block is in the cache."""
    cell = np.zeros(data.shape, dtype=np.int8)
    reached = np.empty(data.shape, dtype=np.bool_)
    one = reached.view(np.int8)
    for threshold in thresholds:
        np.greater_equal(data, threshold, out=reached)
        np.add(cell, one, out=cell)
    np.isnan(data, out=reached)
    cell[reached] = len(thresholds) + 1
    return cell


def _thresholds(values: FloatArray, bins: int) -> FloatArray:
    if not len(values):
        return np.empty(0)
    low, high = values.min(), np.nextafter(values.max(), np.inf)
    distinct = np.unique(values)
    if len(distinct) <= bins:
        inner = distinct[:-1] / 2 + distinct[1:] / 2
        inner = np.where(inner > distinct[:-1], inner, distinct[1:])  # neighbouring numbers have no middle
    else:
        inner = np.quantile(values, np.arange(1, bins) / bins)
        repeated = np.flatnonzero(inner[1:] == inner[:-1]) + 1
        inner[repeated] = np.nextafter(inner[repeated], np.inf)  # it has a bin of its own
    inner = np.unique(inner)
    return np.concatenate([[low], inner[(inner > low) & (inner < high)], [high]])


def _score_names(answers: int) -> list[str]:
    return [SCORE] if answers == 1 else [f"{SCORE} {i}" for i in range(answers)]


def _check(found: Reference) -> None:
    columns = len(found.names)
    width = found.thresholds.shape[1] if found.thresholds.ndim == 2 else 0
    right = (
        all(type(name) is str for name in found.names)
        and 0 <= found.scores <= columns
        and columns > 0
        and found.thresholds.dtype == np.float64
        and found.counts.dtype == np.int64
        and 3 <= width <= MOST_BINS + 1
        and found.thresholds.shape == (columns, width)
        and found.counts.shape == (columns, width + 2)
        and (found.counts >= 0).all()
        and not (np.diff(found.thresholds, axis=1) <= 0).any()
        and not (np.diff(np.isnan(found.thresholds).astype(np.int8), axis=1) < 0).any()
    )
    if not right:
        raise InvalidData("these arrays are no reference of drift; register the model again")
