"""Regression that outliers hardly move."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Self, final

import numpy as np

from daskml_dist import inputs
from daskml_dist.fit import Outcome, Training
from daskml_dist.kernels import Point
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import refuse_common, refuse_outside, ridge, seed_of
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model._regression import LinearRegressor
from daskml_dist.losses import Huber, Squared
from daskml_dist.penalties import Penalty
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray


@final
class HuberRegressor(LinearRegressor):
    r"""Linear regression with Huber's loss, whose scale is learned too, and an L2 penalty.

    .. math:: \min_{w, b, c > 0} \sum_i s_i \left(c + H\left(\frac{y_i - x_i^T w - b}{c}\right) c\right)
        + \alpha |w|^2

    with :math:`H(u) = u^2` for :math:`|u| < \epsilon` and :math:`2 \epsilon |u| - \epsilon^2` beyond.

    Parameters
    ----------
    epsilon : from how many scales on a residual counts linearly, above 1.
    max_iter : how many passes over the data may be made.
    alpha : strength of the penalty, at least 0.
    warm_start : start from the coefficients and the scale of the last fit.
    fit_intercept : whether a constant is added; it is never penalised.
    tol : the relative optimality gap to reach.
    verbose, random_state, scheduler, checkpoint : see ``LogisticRegression``.

    Attributes
    ----------
    coef_ : (p,). intercept_, scale_ : numbers.
    outliers_ : (n,) whether a row of the fit lies beyond epsilon scales, where X and y were in memory.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(20.0)[:, None]
    >>> y = 3.0 * X[:, 0] + np.tile([0.1, -0.1], 10)
    >>> y[7] = 1000.0
    >>> model = HuberRegressor(verbose=0).fit(X, y)
    >>> round(float(model.coef_[0]), 2), bool(model.outliers_[7])
    (3.0, True)
    """

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        max_iter: int = 100,
        alpha: float = 0.0001,
        warm_start: bool = False,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        verbose: int = 1,
        random_state: Any = None,
        scheduler: Any = None,
        checkpoint: Checkpoint | str | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.scheduler = scheduler
        self.checkpoint = checkpoint

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        sample_dims: Any = None,
        feature_dims: Any = None,
        missing: Missing = "raise",
        fit_over: Any = None,
    ) -> Self:
        """Fit the model to X (n, p), y (n,), and weights (n,); see ``LogisticRegression.fit``."""
        refuse_common(self)
        refuse_outside(self, "alpha", 0.0)
        self.__dict__.pop("outliers_", None)
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(self._training(), X, y, sample_weight, asked=asked)
        if asked.given and not inputs.is_lazy(X, y):
            self.outliers_ = np.abs(y - self.predict(X)) > self.epsilon * self.scale_
        elif not inputs.is_lazy(X, y):
            self.outliers_ = (
                np.abs(np.asarray(y).ravel() - np.asarray(self.predict(X)).ravel())
                > self.epsilon * self.scale_
            )
        return self

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """r2."""
        return self._score(replace(self._training(), loss=Squared()), X, y, sample_weight)

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Huber(self.epsilon),
            penalty=partial(_penalty, self.alpha),
            intercept=bool(self.fit_intercept),
            tol=self.tol,
            max_passes=self.max_iter,
            seed=seed_of(self.random_state),
            start=self._start(),
            scheduler=self.scheduler,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _start(self) -> Point | None:
        point = super()._start()
        return None if point is None else replace(point, scale=np.array([float(self.scale_)]))

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        point = outcome.solution.state.point
        assert point is not None and point.scale is not None
        self.coef_ = w[0]
        self.intercept_ = b[0] if self.fit_intercept else 0.0
        self.scale_ = float(point.scale[0])
        self.n_iter_ = outcome.solution.state.passes


def _penalty(alpha: float, weight_sum: float) -> Penalty:
    """alpha |w|^2 on the sum of the losses is (2 alpha / sum of weights) |w|^2 / 2 on their mean."""
    return ridge(2.0 * alpha / weight_sum)
