"""Gamma regression."""

from __future__ import annotations

from typing import Any, final

from daskml_dist.linear_model._glm import GLM
from daskml_dist.losses import Gamma, Loss
from daskml_dist.solvers import Solver
from daskml_dist.storage import Checkpoint


@final
class GammaRegressor(GLM):
    r"""A generalised linear model of positive amounts with a logarithmic link and an L2 penalty.

    .. math:: \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \tfrac12 d(y_i, \mu_i) + \tfrac{\alpha}{2} |w|^2,
        \quad \mu_i = \exp(x_i^T w + b + o_i)

    with the unit deviance d of the gamma distribution, whose spread is proportional to its mean.

    Parameters
    ----------
    alpha : strength of the penalty, at least 0.
    fit_intercept : whether a constant is added; it is never penalised.
    solver : "auto", "progressive-newton", "newton", "newton-cg", "working-set", "lbfgs",
        "gradient_descent" or "model-parallel", or a ``GradientDescent`` with a rule for its steps. With
        "model-parallel" coefficients live with the column chunks of X.
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
    >>> model = GammaRegressor(alpha=0.0, verbose=0).fit([[0.0], [1.0], [2.0], [3.0]], [1, 2, 4, 8])
    >>> model.coef_.round(6), round(float(model.intercept_), 6) + 0.0
    (array([0.693147]), 0.0)
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str | Solver = "auto",
        max_iter: int = 100,
        tol: float = 1e-6,
        warm_start: bool = False,
        verbose: int = 1,
        certify: bool = False,
        random_state: Any = None,
        scheduler: Any = None,
        checkpoint: Checkpoint | str | None = None,
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags

    def _loss(self) -> Loss:
        return Gamma()
