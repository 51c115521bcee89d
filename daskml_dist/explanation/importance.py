"""How much worse the answers become when a feature's values are shuffled, in one sweep over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.explanation.answering import Answering, answering
from daskml_dist.explanation.losses import LOSSES, loss_of
from daskml_dist.explanation.sweeping import Draw, held, matrix, weights_of
from daskml_dist.kernels import Kernel, Part, Total
from daskml_dist.types import Chunk, FloatArray

_DRAWN = 100_000


@final
@dataclass(frozen=True, eq=False)
class Importance:
    """What shuffling each feature costs.

    Attributes
    ----------
    features : (p,) names, or x0, x1, ... where X has none.
    baseline : the score of the rows as they are.
    importances : (p, n_repeats) baseline less the score with the feature shuffled.
    importances_mean, importances_std : (p,) over the repeats.
    """

    features: tuple[str, ...]
    baseline: float
    importances: FloatArray

    @property
    def importances_mean(self) -> FloatArray:
        """(p,)."""
        return np.asarray(self.importances.mean(axis=1))

    @property
    def importances_std(self) -> FloatArray:
        """(p,) with divisor n_repeats, as scikit-learn's."""
        return np.asarray(self.importances.std(axis=1))


def permutation_importance(
    model: Any,
    X: Any,
    y: Any,
    *,
    scoring: str | None = None,
    n_repeats: int = 5,
    features: Sequence[str | int] | None = None,
    shuffle: Literal["blocks", "all"] = "blocks",
    sample_weight: Any = None,
    random_state: int = 0,
    scheduler: Any = None,
) -> Importance:
    r"""By how much the score falls when one feature is shuffled: all features and repeats in one sweep.

    .. math::

        I_{jr} = s(X, y) - s(X^{(j, r)}, y)

    with :math:`X^{(j, r)}` the rows with the values of feature j in another order (Breiman 2001, "Random
    forests"). scikit-learn's, except that "blocks" shuffles within each block of rows, so that nothing
    moves between workers. That takes the blocks for samples of the same rows. Where they are not (a block a
    year, sorted rows), what differs between blocks is not shuffled, and a feature looks less important than
    it is; the same for blocks of few rows. Then use "all".

    Parameters
    ----------
    model : fitted classifier or regressor of this library or scikit-learn, or an ``edge.Model``.
    X : (n, p) numbers in any container; nothing is held in one place.
    y : (n,) labels or numbers.
    scoring : "accuracy", "neg_log_loss", "r2", "neg_mean_squared_error", "neg_mean_absolute_error" or
        "neg_mean_poisson_deviance"; None for accuracy or r2.
    n_repeats : shuffles of each feature.
    features : names or positions of those to shuffle; None for all.
    shuffle : "blocks", or "all": values are drawn, with repetition, from 100,000 rows of the whole table, for
        which there is one more sweep.
    sample_weight : (n,) weights, one number, or None.
    random_state : whole number; the same number, chunks and data give the same bits on any backend.
    scheduler : see ``metrics.accuracy_score``.

    Returns
    -------
    Importance.

    Raises
    ------
    InvalidData
        For data that cannot be used, labels that are none of the model's classes, and unknown features.
    TypeError
        For what is no model.
    """
    asked = answering(model)
    name = scoring or ("accuracy" if asked.task == "classification" else "r2")
    _check(asked, name, n_repeats, shuffle)
    with held(X, y, sample_weight, scheduler) as rows:
        chosen = rows.places(features)
        pool = rows.ask(Draw(_DRAWN, random_state)) if shuffle == "all" else None
        found = rows.ask(_Shuffled(asked, name, chosen, n_repeats, random_state, pool))
        return Importance(tuple(rows.names[j] for j in chosen), *found)


def _check(asked: Answering, scoring: str, n_repeats: int, shuffle: str) -> None:
    known = [name for name, loss in LOSSES.items() if loss.task == asked.task]
    if scoring not in known:
        raise InvalidData(f"scoring={scoring!r}; for a {asked.task} there are {', '.join(known)}")
    if scoring == "neg_log_loss" and not asked.has_probabilities:
        raise InvalidData("the model knows no probabilities; use scoring='accuracy'")
    if n_repeats < 1:
        raise InvalidData(f"n_repeats={n_repeats}; give one or more")
    if shuffle not in ("blocks", "all"):
        raise InvalidData(f"shuffle={shuffle!r}; give 'blocks' or 'all'")


@final
@dataclass(frozen=True)
class _Shuffled(Kernel[tuple[float, FloatArray]]):
    """Weighted sums of the loss, as the rows are and with each feature shuffled."""

    asked: Answering
    scoring: str
    chosen: tuple[int, ...]
    repeats: int
    seed: int
    pool: FloatArray | None

    def chunk(self, chunk: Chunk) -> Part:
        X, weight = matrix(chunk), weights_of(chunk)
        if chunk.y is None:
            raise InvalidData("y is needed: importance is what shuffling costs the score")
        loss = loss_of(self.scoring, self.asked, chunk.y, chunk.id)
        sums = {"weight": weight.sum(), "baseline": weight @ loss(X), **loss.moments(weight)}
        shuffled = np.empty((len(self.chosen), self.repeats))
        for at, feature in enumerate(self.chosen):
            kept = X[:, feature].copy()
            for repeat in range(self.repeats):
                X[:, feature] = self._shuffled(kept, chunk.id, feature, repeat)
                shuffled[at, repeat] = weight @ loss(X)
            X[:, feature] = kept
        return Part({**{name: np.asarray(value) for name, value in sums.items()}, "shuffled": shuffled})

    def _shuffled(self, values: FloatArray, chunk: int, feature: int, repeat: int) -> FloatArray:
        rng = np.random.default_rng([self.seed, chunk, feature, repeat])
        if self.pool is None:
            return rng.permutation(values)
        drawn: FloatArray = self.pool[rng.integers(len(self.pool), size=len(values)), feature]
        return drawn

    def finish(self, total: Total) -> tuple[float, FloatArray]:
        sums = total.sums
        score = LOSSES[self.scoring].score
        baseline = float(score(sums["baseline"], sums))
        return baseline, np.asarray(baseline - score(sums["shuffled"], sums))
