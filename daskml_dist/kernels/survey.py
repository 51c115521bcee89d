"""The survey: what must be known of target and weights before a solver can start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.raw import label_column, number_column, peeled
from daskml_dist.kernels.refusal import refuse_non_finite
from daskml_dist.losses import Loss
from daskml_dist.types import AnyArray, Chunk

_LEAST_WEIGHT = 1e-290  # for a sum of weights: products with it must not lose digits
_MANY = 1000  # distinct labels from which on y is taken for a number


@final
@dataclass(frozen=True)
class LabelSurveyAnswer:
    """Classes in sorted order, their row counts and weight sums (both (k,)), and what the offset is worth."""

    rows: int
    classes: AnyArray
    counts: AnyArray
    weights: AnyArray
    offset: float


@final
@dataclass(frozen=True)
class LabelSurvey(Kernel[LabelSurveyAnswer]):
    """Which labels there are; refuses missing labels and negative weights."""

    loss: Loss
    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        y = label_column(chunk.y, "y", chunk.id)
        check_weights(chunk)
        counted: dict[Any, AnyArray] = {}
        for label, where in _split(y, chunk.id):
            weight = where.sum() if chunk.weight is None else chunk.weight[where].sum()
            counted[label] = np.array([where.sum(), weight], dtype=np.float64)
        return Part(offset_sums(self.loss, chunk), gathered={(chunk.id, y.dtype.str): counted})

    def finish(self, total: Total) -> LabelSurveyAnswer:
        dtype = np.result_type(*(_plain(np.dtype(name)) for _, name in sorted(total.gathered)))
        sums: dict[Any, AnyArray] = {}
        for key in sorted(total.gathered):
            for label, tally in total.gathered[key].items():
                sums[label] = sums.get(label, 0.0) + tally
        if len(sums) > _MANY:  # each chunk may have had less
            raise InvalidData(_too_many(len(sums), "all of its chunks"))
        classes = _sorted(list(sums), dtype)
        tallies = np.array([sums[label] for label in classes.tolist()])
        check_weight_sum(float(tallies[:, 1].sum()))
        counts, weights = tallies[:, 0].astype(np.int64), tallies[:, 1]
        return LabelSurveyAnswer(total.rows, classes, counts, weights, offset_worth(self.loss, total))


@final
@dataclass(frozen=True)
class TargetSurveyAnswer:
    """Rows, weight sum, mean of y by weight (t,), rows in the stratum to over-sample, worth of the offset."""

    rows: int
    weight_sum: float
    mean: AnyArray
    events: int
    offset: float


@final
@dataclass(frozen=True)
class TargetSurvey(Kernel[TargetSurveyAnswer]):
    """Sums over a numeric target; refuses what the loss has no value for."""

    loss: Loss
    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.y is not None
        y = number_column(chunk.y, "y", chunk.id)
        check_weights(chunk)
        complaint = self.loss.complain(y)
        if complaint is not None:
            raise InvalidData(
                f"Some value(s) of y are out of the valid range of the loss {self.loss.name!r} "
                f"(chunk {chunk.id}): {complaint}; given: {y.min():g} to {y.max():g}."
            )
        weight = np.ones(y.shape[0]) if chunk.weight is None else chunk.weight
        events = self.loss.stratum(y) if y.ndim == 1 else np.zeros(y.shape[0], dtype=bool)
        sums = {"weight": weight.sum(), "y": weight @ y, "events": np.float64(events.sum())}
        return Part(sums | offset_sums(self.loss, chunk))

    def finish(self, total: Total) -> TargetSurveyAnswer:
        weight = float(total.sums["weight"])
        check_weight_sum(weight)
        mean, events = total.sums["y"] / weight, int(total.sums["events"])
        return TargetSurveyAnswer(total.rows, weight, mean, events, offset_worth(self.loss, total))


def check_weights(chunk: Chunk) -> None:
    """Refuse weights that are not finite or below zero, and offsets that are not finite."""
    for part in (chunk.weight, chunk.offset):
        if part is not None and not np.isfinite(part).all():
            refuse_non_finite(chunk)
    if chunk.weight is not None and (chunk.weight < 0).any():
        raise InvalidData(
            f"Negative values in data passed to `sample_weight`: {int((chunk.weight < 0).sum())} in chunk "
            f"{chunk.id}, the smallest {chunk.weight.min():g}. Weights must be zero or above."
        )


def check_weight_sum(weight_sum: float) -> None:
    """Refuse weights that add up to nothing, or to what float64 cannot hold."""
    if weight_sum == 0.0:
        raise InvalidData(
            "The sample weights add up to zero: no row counts. Give at least one row a weight above zero."
        )
    if not _LEAST_WEIGHT < weight_sum < np.inf:
        raise InvalidData(
            f"The sample weights add up to {weight_sum:g}, which leaves float64 no digits. Multiply them by "
            "a constant that brings them near 1."
        )


def offset_sums(loss: Loss, chunk: Chunk) -> dict[str, AnyArray]:
    """Sums that tell what the offset of a chunk is worth; nothing without an offset."""
    if chunk.offset is None:
        return {"margin": np.zeros(3)}
    weight = np.ones(chunk.offset.shape[0]) if chunk.weight is None else chunk.weight
    return {"margin": np.array([weight @ loss.mean(chunk.offset), weight @ chunk.offset, weight.sum()])}


def offset_worth(loss: Loss, total: Total) -> float:
    """The constant offset with the same mean expectation; 0 without an offset."""
    mean, margin, weight = total.sums["margin"]
    if weight == 0.0:
        return 0.0
    worth = float(loss.link(np.asarray(mean / weight)))
    return worth if np.isfinite(worth) else float(margin / weight)


def _split(y: AnyArray, chunk_id: int) -> list[tuple[Any, AnyArray]]:
    """Each label of y with the mask of its rows; labels are peeled off one by one while they are few."""
    found = peeled(y)
    if found is not None:
        return found
    labels, codes = np.unique(y, return_inverse=True)
    if labels.shape[0] > _MANY:
        raise InvalidData(_too_many(labels.shape[0], f"chunk {chunk_id}"))
    return [(label, codes == code) for code, label in enumerate(labels.tolist())]


def _too_many(labels: int, where: str) -> str:
    return (
        f"y holds {labels} different labels in {where}: more than {_MANY} classes are not supported. Maybe "
        "you want a regressor."
    )


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(object) if dtype.kind == "O" else dtype


def _sorted(labels: list[Any], dtype: np.dtype[Any]) -> AnyArray:
    """The labels in order, as an array of the dtype of y."""
    try:
        ordered = sorted(labels)
    except TypeError as cause:
        kinds = ", ".join(sorted({type(label).__name__ for label in labels}))
        raise InvalidData(
            f"Unknown label type: labels of different types cannot be ordered ({kinds}). Convert y to one "
            "type."
        ) from cause
    classes = np.empty(len(ordered), dtype=dtype)
    classes[:] = ordered
    return classes
