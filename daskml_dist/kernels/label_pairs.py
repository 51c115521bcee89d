"""How often each label was predicted for each other: all that labels as predictions are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.errors import InvalidData
from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.exact_sum import ExactSum
from daskml_dist.kernels.raw import Label, coded, label_column
from daskml_dist.kernels.survey import check_weight_sum, check_weights
from daskml_dist.types import AnyArray, Chunk, FloatArray

_MANY = 1 << 20  # different pairs from which on they are taken for no labels


@final
@dataclass(frozen=True)
class PairTable:
    """Different pairs of labels (of y and of X), the rows of each, and their weight (None for one a row)."""

    pairs: tuple[tuple[Label, Label], ...]
    rows: NDArray[np.int64]
    weight: ExactSum | None


@final
@dataclass(frozen=True)
class LabelPairsAnswer:
    """The different pairs in order, all arrays (m,); ``weight`` is None where no weights were given."""

    y: AnyArray
    X: AnyArray
    rows: NDArray[np.int64]
    weight: FloatArray | None


@final
@dataclass(frozen=True)
class LabelPairs(Kernel[LabelPairsAnswer]):
    """Labels y (n,) beside labels X (n, 1), counted and weighed by pair."""

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        check_weights(chunk)
        true, y = coded(label_column(chunk.y, "y", chunk.id), "y")
        said, x = coded(label_column(chunk.X[:, 0], "X", chunk.id), "X")
        both = y * len(said) + x
        rows = np.bincount(both, minlength=len(true) * len(said))
        there = np.flatnonzero(rows)
        weight = None
        if chunk.weight is not None:
            weights = np.bincount(both, chunk.weight, rows.shape[0]).astype(np.float64)
            weight = ExactSum.of(weights[None, there])
        pairs = tuple((true[i // len(said)], said[i % len(said)]) for i in there.tolist())
        return Part(gathered={chunk.id: PairTable(pairs, rows[there], weight)})

    def fold(self, gathered: dict[int, PairTable]) -> dict[int, PairTable]:
        return {min(gathered): _joined([gathered[key] for key in sorted(gathered)])}

    def finish(self, total: Total) -> LabelPairsAnswer:
        table = _joined([total.gathered[key] for key in sorted(total.gathered)])
        _refuse_mixture(table)
        order = sorted(range(len(table.pairs)), key=table.pairs.__getitem__)
        y, X = (np.array([table.pairs[i][side] for i in order]) for side in (0, 1))
        weight = None if table.weight is None else table.weight.value()[order]
        if weight is not None:
            check_weight_sum(float(weight.sum()))
        return LabelPairsAnswer(y, X, table.rows[order], weight)


def _joined(tables: Sequence[PairTable]) -> PairTable:
    """The tables as one; what two of them share is added up."""
    place: dict[tuple[Label, Label], int] = {}
    index = np.array([place.setdefault(pair, len(place)) for table in tables for pair in table.pairs])
    if len(place) > _MANY:
        raise InvalidData(
            f"y and X hold more than {_MANY:,} different pairs of labels. Maybe they are numbers and no "
            "labels: use a metric of regression."
        )
    order = np.argsort(index, kind="stable")
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(index[order]))])
    rows = np.concatenate([table.rows for table in tables])[order]
    weights = [table.weight for table in tables if table.weight is not None]
    return PairTable(
        tuple(place),
        np.add.reduceat(rows, starts),
        ExactSum.side_by_side(weights).runs(order, starts) if weights else None,
    )


def _refuse_mixture(table: PairTable) -> None:
    """Complain where some labels are strings and some are not: none of these could ever be equal."""
    if len({isinstance(label, str) for pair in table.pairs for label in pair}) == 2:
        y, X = (sorted({repr(pair[side]) for pair in table.pairs})[:5] for side in (0, 1))
        raise InvalidData(
            f"Mix of label input types (string and number): y holds {', '.join(y)}; X holds {', '.join(X)}. "
            "Convert one of them to the type of the other."
        )
