"""Two models on the same held-out rows: the difference of their losses, row by row, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import numpy as np

from daskml_dist import edge
from daskml_dist.errors import InvalidData
from daskml_dist.explanation.answering import Answering, answering
from daskml_dist.explanation.losses import loss_of
from daskml_dist.explanation.sweeping import held, matrix, weights_of
from daskml_dist.kernels import Kernel, Part, Total
from daskml_dist.types import AnyArray, Chunk


@final
@dataclass(frozen=True)
class Compared:
    """Mean losses on the same rows.

    Attributes
    ----------
    score : what the loss is the negative of: "neg_log_loss", "neg_mean_poisson_deviance", ...
    rows : how many.
    champion, challenger : mean losses.
    error : standard error of their difference, which is that of the mean of the rows' differences: much
        smaller than that of two means, since both models find the same rows hard.
    """

    score: str
    rows: int
    champion: float
    challenger: float
    error: float

    @property
    def gain(self) -> float:
        """By how much the challenger's loss is less."""
        return self.champion - self.challenger


def _times(offset: AnyArray, mean: AnyArray) -> AnyArray:
    return np.asarray(mean * np.exp(offset))


def _plus(offset: AnyArray, mean: AnyArray) -> AnyArray:
    return np.asarray(mean + offset)


OFFSETS = {"log": _times, "identity": _plus}
"""What an offset of the margin does to the answers of a regression, by its link."""


def natural_score(model: edge.Model) -> str:
    """The loss that a model is trained for, as far as there is a score of it."""
    if model.task == "classification":
        return "neg_log_loss" if "probability" in model.outputs else "accuracy"
    return "neg_mean_poisson_deviance" if model.link == "log" else "neg_mean_squared_error"


def compared(
    champion: Any,
    challenger: Any,
    rows: Mapping[str, Any],
    score: str,
    scheduler: Any,
    link: str = "identity",
) -> Compared:
    """Both models' losses on rows that neither was trained on, in one sweep.

    Parameters
    ----------
    rows : X (n, p), y, and perhaps sample_weight and offset, by these names.
    link : where there is an offset one of ``OFFSETS``, which says what it does to answers.

    Raises
    ------
    InvalidData
        There are labels that are none of the models' classes, or too few rows.
    """
    both = answering(champion), answering(challenger)
    weight, offset = rows.get("sample_weight"), rows.get("offset")
    with held(rows["X"], rows["y"], weight, scheduler, offset) as here:
        return here.ask(_Pairs(*both, score, link))


@final
@dataclass(frozen=True)
class _Pairs(Kernel[Compared]):
    """Weighted sums of both losses, and of the squares of their differences."""

    champion: Answering
    challenger: Answering
    score: str
    link: str

    def chunk(self, chunk: Chunk) -> Part:
        X, weight = matrix(chunk), weights_of(chunk)
        if chunk.y is None:
            raise InvalidData("y is needed: losses are compared")
        old = loss_of(self.score, self._shifted(self.champion, chunk), chunk.y, chunk.id)(X)
        new = loss_of(self.score, self._shifted(self.challenger, chunk), chunk.y, chunk.id)(X)
        less = old - new
        sums = {
            "rows": float(np.count_nonzero(weight)),
            "weight": weight.sum(),
            "old": weight @ old,
            "new": weight @ new,
            "squares": weight**2 @ less**2,
            "linear": weight**2 @ less,
            "weights": weight @ weight,
        }
        return Part({name: np.asarray(value) for name, value in sums.items()})

    def _shifted(self, asked: Answering, chunk: Chunk) -> Answering:
        """A model whose answers have the offset of a chunk's rows in them."""
        if chunk.offset is None:
            return asked
        return replace(asked, shift=partial(OFFSETS[self.link], chunk.offset))

    def finish(self, total: Total) -> Compared:
        sums = {name: float(value) for name, value in total.sums.items()}
        if sums["rows"] < 2:
            raise InvalidData(
                f"{sums['rows']:.0f} held-out rows are too few to compare models; give more data"
            )
        old, new = sums["old"] / sums["weight"], sums["new"] / sums["weight"]
        mean = old - new
        # sum s^2 (d - mean)^2, the variance of a weighted mean
        spread = sums["squares"] - 2.0 * mean * sums["linear"] + mean**2 * sums["weights"]
        error = math.sqrt(max(spread, 0.0)) / sums["weight"]
        return Compared(self.score, int(sums["rows"]), old, new, error)
