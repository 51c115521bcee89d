"""What the regressors share."""

from __future__ import annotations

from functools import partial
from typing import Any

from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from daskml_dist import fit as spine
from daskml_dist import inputs
from daskml_dist.fit import Training
from daskml_dist.kernels import Point
from daskml_dist.linear_model._base import LinearModel, check_features, margins
from daskml_dist.linear_model._labelled import is_mapped, scored
from daskml_dist.linear_model._maps import predicted_means, score_of_means
from daskml_dist.losses import Loss
from daskml_dist.types import AnyArray


class LinearRegressor(RegressorMixin, LinearModel):
    """A regressor whose expectation is a function of a linear margin."""

    def predict(self, X: Any) -> Any:
        """(n,) or (n, t) expectations, in the kind of X."""
        check_is_fitted(self)
        training, dtype = self._training(), self._result_dtype(X)
        if is_mapped(self):
            return predicted_means(self, training.loss, X, dtype)
        outputs = None if self.coef_.ndim == 1 else list(range(len(self.coef_)))
        function = partial(expectations, self._point(), training.loss, dtype, self.coef_.ndim == 2)
        return self._apply(X, function, outputs, dtype, target=True)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """r2, or the share of the deviance that is explained where the loss is not the squared one.

        A model for each cell has a score for each cell, a DataArray.
        """
        if is_mapped(self):
            scores: Any = score_of_means(self, self._training().loss, X, y, sample_weight)
            return scores  # type: ignore[no-any-return]
        return self._score(self._training(), X, y, sample_weight)

    def _score(self, training: Training, X: Any, y: Any, sample_weight: Any) -> float:
        X, y, sample_weight = scored(self, X, y, sample_weight)
        if training.loss.quadratic and not inputs.is_lazy(X, y, sample_weight):
            return float(super().score(X, y, sample_weight))
        check_is_fitted(self)
        check_features(self, X, reset=False)
        return spine.score(training, self._point(), X, y, sample_weight)

    def _training(self) -> Training:
        raise NotImplementedError


def expectations(point: Point, loss: Loss, dtype: Any, wide: bool, x: AnyArray) -> AnyArray:
    """(m,), or (m, t) where ``wide``: the inverse link of the margins of a block."""
    mean = loss.mean(margins(point, x)).astype(dtype)
    return mean.reshape(x.shape[0], -1) if wide else mean
