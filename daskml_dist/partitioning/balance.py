"""How well partitions are balanced: rows, bytes and classes of each."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, final

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from daskml_dist import inputs
from daskml_dist.cluster import connect
from daskml_dist.fit import count_rows, settle
from daskml_dist.kernels import LabelTally, Question
from daskml_dist.splits import Tally
from daskml_dist.types import AnyArray, Table


@final
@dataclass(frozen=True, eq=False, repr=False)
class Balance:
    """What each partition holds.

    Attributes
    ----------
    rows : (P,) rows of each partition.
    bytes : (P,) bytes of X in each of them.
    classes : (k,) labels of y in ascending order, or None.
    counts : (P, k) rows of each label in each partition, or None.
    """

    rows: AnyArray
    bytes: AnyArray
    classes: AnyArray | None = None
    counts: AnyArray | None = None

    @property
    def imbalance(self) -> float:
        """Rows of the largest partition over the mean; a pass over P workers takes that much longer."""
        return float(self.rows.max() / max(self.rows.mean(), np.finfo(float).tiny))

    @property
    def table(self) -> pd.DataFrame:
        """One line a partition: rows, bytes, and rows of each class."""
        columns: dict[Any, Any] = {"rows": self.rows, "bytes": self.bytes}
        if self.classes is not None and self.counts is not None:
            columns |= {f"class {label}": self.counts[:, k] for k, label in enumerate(self.classes.tolist())}
        return pd.DataFrame(columns, index=pd.RangeIndex(len(self.rows), name="partition"))

    @property
    def notes(self) -> list[str]:
        """What a training may suffer from: partitions without rows, or without a class."""
        notes = [f"Partition {i} has no rows." for i in np.flatnonzero(self.rows == 0).tolist()]
        if self.classes is not None and self.counts is not None:
            for i, k in np.argwhere((self.counts == 0) & (self.rows > 0)[:, None]).tolist():
                notes.append(f"Partition {i} has no row of class {self.classes.tolist()[k]!r}.")
        return notes

    def __repr__(self) -> str:
        told = [
            f"{len(self.rows)} partitions of {self.rows.sum():,} rows and {self.bytes.sum():,} bytes; the "
            f"largest has {self.imbalance:.2f} times the mean",
            self.table.to_string(max_rows=20),
            *self.notes[:10],
        ]
        return "\n".join(told)

    def _repr_html_(self) -> str:
        head = repr(self).split("\n", 1)[0]
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes[:10])
        return f"<p>{escape(head)}</p>{self.table.to_html(max_rows=20)}<ul>{notes}</ul>"


def balance(X: Any, y: Any = None) -> Balance:
    """Count what each partition (chunk of rows) holds; each block is visited where it is.

    Parameters
    ----------
    X : (n, p) any supported container; what is in memory is one partition.
    y : (n,) labels to count, or None.

    Returns
    -------
    Balance, whose ``table`` is a DataFrame; ``daskml_dist.dashboard.plot_balance`` draws it.

    Raises
    ------
    InvalidData
        Lengths that differ, more than 1,000 labels, missing labels.
    """
    hands = connect(None, lazy=inputs.is_lazy(X, y))
    try:
        rows = count_rows(hands, [values for values in (X, y) if values is not None])
        matrix = inputs.matrix_in_chunks(X, rows)
        sizes = hands.evaluate(
            matrix.map_blocks(_bytes, chunks=(1, 1), dtype=np.int64, meta=np.empty((0, 0), int))
        )
        classes = counts = None
        if y is not None:
            labels = inputs.column_in_chunks(y, "y", rows)
            settle(hands, Table(None, labels, None, None, rows, 0, None, True, None))
            found: Tally = hands.answer(Question(LabelTally()))
            assert found.values is not None
            order = np.argsort(found.values)
            classes, counts = found.values[order], found.counts[:, order]
    finally:
        hands.close()
    return Balance(np.array(rows), sizes.sum(axis=1), classes, counts)


def _bytes(block: Any) -> AnyArray:
    """The bytes of a block, dense or sparse."""
    size = block.data.nbytes + block.indices.nbytes + block.indptr.nbytes if issparse(block) else block.nbytes
    return np.array([[size]])
