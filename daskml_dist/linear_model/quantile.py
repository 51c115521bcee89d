"""Quantile regression."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Self, final

from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import refuse_changed, refuse_common, refuse_outside, seed_of
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model._regression import LinearRegressor
from daskml_dist.losses import Quantile, Squared
from daskml_dist.penalties import ElasticNet, Penalty, Unpenalised
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray


@final
class QuantileRegressor(LinearRegressor):
    r"""Linear regression of a quantile, with an L1 penalty: the exact minimum of the check loss.

    .. math::

        \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \rho(y_i - x_i^T w - b) + \alpha |w|_1,
        \quad \rho(r) = \max(\tau r, (\tau - 1) r)

    Data that are too large for a linear program are first solved with a smoothed loss; then the rows near the
    fitted plane decide, and each of the others is worth a line.

    Parameters
    ----------
    quantile : tau, between 0 and 1.
    alpha : strength of the penalty, at least 0.
    fit_intercept : whether a constant is added; it is never penalised.
    solver, solver_options : scikit-learn's; only their defaults are supported.
    tol : the relative optimality gap to reach; a smaller one costs a pass more, and gives the exact solution.
    max_iter : how many passes over the data may be made.
    verbose, random_state, scheduler, checkpoint : see ``LogisticRegression``.

    Attributes
    ----------
    coef_ : (p,). intercept_ : number.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> model = QuantileRegressor(quantile=0.5, alpha=0.0, verbose=0)
    >>> model.fit([[0.0], [1.0], [2.0], [3.0], [4.0]], [1.0, 3.0, 5.0, 7.0, 1000.0]).coef_.round(6)
    array([2.])
    >>> model.gap_kind_
    'duality'
    """

    def __init__(
        self,
        *,
        quantile: float = 0.5,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "highs",
        solver_options: Any = None,
        tol: float = 1e-6,
        max_iter: int = 100,
        verbose: int = 1,
        random_state: Any = None,
        scheduler: Any = None,
        checkpoint: Checkpoint | str | None = None,
    ) -> None:
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.solver_options = solver_options
        self.tol = tol
        self.max_iter = max_iter
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
        refuse_outside(self, "quantile", 0.0, strict=True)
        refuse_changed(self, {"solver": "highs", "solver_options": None})
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(self._training(), X, y, sample_weight, asked=asked)
        return self

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """r2."""
        return self._score(replace(self._training(), loss=Squared()), X, y, sample_weight)

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Quantile(float(self.quantile)),
            penalty=partial(_penalty, self.alpha),
            intercept=bool(self.fit_intercept),
            tol=self.tol,
            max_passes=self.max_iter,
            seed=seed_of(self.random_state),
            scheduler=self.scheduler,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        self.coef_ = w[0]
        self.intercept_ = b[0] if self.fit_intercept else 0.0
        self.n_iter_ = outcome.solution.state.passes


def _penalty(alpha: float, weight_sum: float) -> Penalty:
    """The mean of the losses has scikit-learn's alpha as it stands."""
    return ElasticNet(alpha) if alpha > 0 else Unpenalised()
