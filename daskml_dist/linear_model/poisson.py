"""Poisson regression."""

from __future__ import annotations

from functools import partial
from typing import Any, Self, final

import numpy as np

from daskml_dist.fit import Outcome, Training
from daskml_dist.kernels import Point
from daskml_dist.linear_model._base import refuse_common, refuse_outside, seed_of
from daskml_dist.linear_model._regression import LinearRegressor
from daskml_dist.losses import Poisson
from daskml_dist.penalties import L2, Penalty, Unpenalised
from daskml_dist.types import AnyArray


@final
class PoissonRegressor(LinearRegressor):
    r"""A generalised linear model of counts with a logarithmic link and an L2 penalty.

    .. math:: \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \tfrac12 d(y_i, \mu_i) + \tfrac{\alpha}{2} |w|^2,
        \quad \mu_i = \exp(x_i^T w + b + o_i)

    with the unit deviance d of the Poisson distribution. An exposure e enters as offset o = log(e).

    Parameters
    ----------
    alpha : strength of the penalty, at least 0.
    fit_intercept : whether a constant is added; it is never penalised.
    solver : "auto", "progressive-newton", "newton" or "lbfgs".
    max_iter : how many passes over the data may be made.
    tol : the relative optimality gap to reach.
    warm_start : start from the coefficients of the last fit.
    verbose, certify, random_state, scheduler, checkpoint : see ``LogisticRegression``.

    Attributes
    ----------
    coef_ : (p,). intercept_ : number.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> model = PoissonRegressor(alpha=0.0, verbose=0).fit([[0.0], [1.0], [2.0], [3.0]], [1, 2, 4, 8])
    >>> model.coef_.round(6), round(float(model.intercept_), 6) + 0.0
    (array([0.693147]), 0.0)
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "auto",
        max_iter: int = 100,
        tol: float = 1e-6,
        warm_start: bool = False,
        verbose: int = 1,
        certify: bool = False,
        random_state: Any = None,
        scheduler: Any = None,
        checkpoint: str | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.certify = certify
        self.random_state = random_state
        self.scheduler = scheduler
        self.checkpoint = checkpoint

    def fit(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Self:
        """Fit the model to X (n, p), y (n,) >= 0, weights and offset (n,); see ``LogisticRegression.fit``."""
        refuse_common(self)
        refuse_outside(self, "alpha", 0.0)
        self._train(self._training(), X, y, sample_weight, offset)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Poisson(),
            penalty=partial(_penalty, self.alpha),
            intercept=bool(self.fit_intercept),
            solver=self.solver,
            tol=self.tol,
            max_passes=self.max_iter,
            certify=self.certify,
            seed=seed_of(self.random_state),
            start=self._start(),
            scheduler=self.scheduler,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _start(self) -> Point | None:
        if not self.warm_start or "coef_" not in vars(self):
            return None
        point = self._point()
        b = point.b if self.fit_intercept else np.zeros(1)
        return Point(point.w, b, point.centre, bool(self.fit_intercept))

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        self.coef_ = w[0]
        self.intercept_ = b[0] if self.fit_intercept else 0.0
        self.n_iter_ = outcome.solution.state.passes


def _penalty(alpha: float, weight_sum: float) -> Penalty:
    return L2(alpha) if alpha > 0 else Unpenalised()
