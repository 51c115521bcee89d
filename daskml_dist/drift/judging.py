"""How far counts are from those of the training, and whether chance can have done it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.drift.bins import Counts, Reference
from daskml_dist.drift.chi_square import quantile
from daskml_dist.errors import InvalidData
from daskml_dist.types import FloatArray

FLOOR = 0.02
"""The smallest PSI that is called drift, however many rows there are: a shift of about 0.14 deviations."""


@final
@dataclass(frozen=True, slots=True)
class Judgement:
    """What the counts of one column say.

    Attributes
    ----------
    column : its name.
    psi : population stability index, sum (p - q) log(p / q).
    js : Jensen-Shannon divergence of the shares in bits, 0 (the same) to 1 (nothing in common).
    ks : the largest difference of the two distribution functions at the thresholds, missing values left out.
    rows : that were counted.
    threshold : of `psi`; depends on the rows on both sides.
    drifted : whether `psi` is above it.
    """

    column: str
    psi: float
    js: float
    ks: float
    rows: int
    threshold: float
    drifted: bool


def judge(
    reference: Reference, counts: Counts, *, level: float = 0.001, floor: float = FLOOR
) -> list[Judgement]:
    """Compare counts with those of the training, column by column.

    Without drift, PSI / (1/n + 1/m) is chi-square with one degree of freedom less than there are cells with
    rows, for n rows counted and m of the training. The threshold is its quantile at level / columns, times
    (1/n + 1/m), and not less than `floor`. A fixed threshold would complain of every small window and miss
    what large ones show (docs/decisions/0032).

    Parameters
    ----------
    reference : of the training.
    counts : (columns, bins + 3), what a `Counter` took, or sums of such.
    level : the probability of one false alarm or more over all columns.
    floor : PSI that is too small to matter.

    Raises
    ------
    InvalidData
        For counts of another reference.
    """
    check_counts(reference, counts)
    if not 0 < level < 1:
        raise InvalidData(f"level={level}; give a probability, like 0.001")
    psi, limits = excess(reference, counts, level / len(reference.names))
    limits = np.maximum(limits, floor)
    js, ks = _js(counts, reference.counts), _ks(counts, reference.counts)
    rows = counts.sum(axis=1)
    columns = zip(*(part.tolist() for part in (psi, js, ks, rows, limits, psi > limits)), strict=True)
    return [Judgement(name, *column) for name, column in zip(reference.names, columns, strict=True)]


def check_counts(reference: Reference, counts: Counts) -> None:
    """Complain of counts of another reference."""
    if counts.shape != reference.counts.shape:
        raise InvalidData(
            f"counts of shape {counts.shape}; those of this reference have {reference.counts.shape}"
        )


def excess(reference: Reference, counts: Counts, probability: float) -> tuple[FloatArray, FloatArray]:
    """PSI of each column, and what chance alone exceeds with this probability, column by column."""
    rows, seen = counts.sum(axis=1), reference.counts.sum(axis=1)
    filled = np.count_nonzero(counts + reference.counts, axis=1)
    chi_square = np.array([quantile(probability, cells - 1) for cells in filled.tolist()])
    chance = chi_square * (1 / np.maximum(rows, 1) + 1 / np.maximum(seen, 1))
    return _psi(counts, reference.counts), chance


def _psi(counts: Counts, seen: Counts) -> FloatArray:
    """One row of the smaller side is added to each cell of both, so that empty cells have a logarithm.

    The same share is added to both: a cell that is empty on both sides adds nothing. With half a row, cells
    where five rows are expected and none came would raise four times as many false alarms as promised.
    """
    fewer = np.minimum(counts.sum(axis=1), seen.sum(axis=1))
    added = 1.0 / np.maximum(fewer, 1)[:, np.newaxis]
    p, q = _shares(counts) + added, _shares(seen) + added
    result: FloatArray = ((p - q) * np.log(p / q)).sum(axis=1) / (1 + added[:, 0] * counts.shape[1])
    return np.where(fewer > 0, result, 0.0)


def _js(counts: Counts, seen: Counts) -> FloatArray:
    p, q = _shares(counts), _shares(seen)
    middle = (p + q) / 2
    result: FloatArray = (_entropy(middle) - (_entropy(p) + _entropy(q)) / 2).clip(0, 1)
    return np.where(counts.sum(axis=1) > 0, result, 0.0)


def _entropy(shares: FloatArray) -> FloatArray:
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    result: FloatArray = -(shares * logs).sum(axis=1)
    return result


def _ks(counts: Counts, seen: Counts) -> FloatArray:
    there, then = counts[:, :-1], seen[:, :-1]
    gap = np.abs(np.cumsum(_shares(there), axis=1) - np.cumsum(_shares(then), axis=1)).max(axis=1)
    both = (there.sum(axis=1) > 0) & (then.sum(axis=1) > 0)
    return np.where(both, gap, 0.0)


def _shares(counts: Counts) -> FloatArray:
    result: FloatArray = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return result
