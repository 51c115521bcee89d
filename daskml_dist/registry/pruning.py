"""Fewer columns: those that matter least are left out, and the model is fitted again to the others."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import pandas as pd
from sklearn.base import clone

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.registry.compression import refuse_over, report_of, table
from daskml_dist.registry.describing import describe
from daskml_dist.registry.functions import function_of
from daskml_dist.registry.measuring import change_of
from daskml_dist.storage import Answer, answer_of
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class Pruned:
    """A model of fewer columns.

    Attributes
    ----------
    model : fitted to the columns that are kept. kept : (q,) their positions, ascending.
    report : as that of ``Compressed``.
    """

    model: Any
    kept: AnyArray
    report: dict[str, Any]

    def __str__(self) -> str:
        """The report as a table."""
        return table(self.report)


def prune(
    model: Any,
    X: Any,
    y: Any,
    keep: int | float,
    *,
    data: Any = None,
    target: Any = None,
    max_label_change: float = math.inf,
    max_loss_increase: float = 1e-2,
) -> Pruned:
    """Leave out columns and fit again, at most half of the columns at a time.

    The columns that go are those with the least abs(w) s, where s is the standard deviation of a column: what
    counts is the part that a column has in the margins. Weights are never just set to zero.

    Parameters
    ----------
    model : a fitted linear estimator of this library; it stays as it is.
    X, y : (n, p) and (n,) of the training: numpy, scipy.sparse, pandas or a dask array.
    keep : how many columns, or which share of them.
    data, target : (m, p) and (m,) to measure the change on; X and y if None.
    max_label_change, max_loss_increase : see ``compress``.

    Raises
    ------
    CompressionRefused
        Without these columns the model is worse than that.
    """
    whole = answer_of(model)
    if whole is None:
        raise UnsupportedParameter(
            f"{type(model).__name__} has no answer for single rows, and cannot be pruned."
        )
    p = whole.coef.shape[1]
    wanted = keep if isinstance(keep, int) else math.ceil(keep * p)
    if not 1 <= wanted <= p or isinstance(keep, bool):
        raise UnsupportedParameter(
            f"keep={keep!r}: expected a number of columns from 1 to {p}, or a share of them."
        )
    kept, fitted = _fewer(model, whole, X, y, wanted)
    after = answer_of(fitted)
    assert after is not None
    data, target = (X, y) if data is None else (data, target)
    found = change_of(function_of(whole), function_of(_spread_out(after, kept, whole)), data, target)
    report = report_of(whole, after, found)
    refuse_over(found, {"labels": max_label_change, "loss": max_loss_increase}, report, f"keep={keep!r}")
    return Pruned(fitted, kept, report)


def _fewer(model: Any, whole: Answer, X: Any, y: Any, wanted: int) -> tuple[AnyArray, Any]:
    """The columns that are kept, and the model that is fitted to them."""
    features = [name for column in whole.columns for name in column.outputs]
    spread = describe(X, None, features).sample.std(axis=0)
    kept, fitted, weights = np.arange(len(features)), model, whole.weights()
    while len(kept) > wanted:
        part = np.abs(weights).max(axis=0) * spread[kept]
        kept = kept[np.sort(np.argsort(-part, kind="stable")[: max(wanted, len(kept) // 2)])]
        fitted = clone(model).fit(_taken(X, kept), y)
        found = answer_of(fitted)
        assert found is not None
        weights = found.weights()
    return kept, fitted


def _spread_out(after: Answer, kept: AnyArray, whole: Answer) -> Answer:
    """The same answers from all columns."""
    weights = after.weights()
    coef = np.zeros((len(weights), whole.coef.shape[1]))
    coef[:, kept] = weights
    return replace(after, coef=coef, columns=whole.columns)


def _taken(X: Any, kept: AnyArray) -> Any:
    return X.iloc[:, kept] if isinstance(X, pd.DataFrame) else X[:, kept]
