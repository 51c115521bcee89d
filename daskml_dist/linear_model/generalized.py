"""Generalised linear models by family and link."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import refuse_share
from daskml_dist.linear_model._glm import GLM
from daskml_dist.linear_model._labelled import features_in
from daskml_dist.linear_model.tweedie import tweedie_loss
from daskml_dist.losses import Binomial, Loss
from daskml_dist.penalties import Bounded, ElasticNet, Penalty
from daskml_dist.solvers import Solver
from daskml_dist.storage import Checkpoint

POWERS = {"normal": 0.0, "poisson": 1.0, "gamma": 2.0, "inverse gaussian": 3.0}


@final
class GeneralizedLinearRegressor(GLM):
    r"""A generalised linear model of a family and a link, with an elastic net penalty and bounds, or without.

    .. math:: \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \tfrac12 d(y_i, \mu_i)
        + \alpha \rho |w|_1 + \tfrac12 \alpha (1 - \rho) |w|_2^2,
        \quad g(\mu_i) = x_i^T w + b + o_i

    with the unit deviance d of the family and the link g.

    Parameters
    ----------
    family : "normal", "poisson", "gamma", "inverse gaussian", "tweedie", or "binomial", whose target is a
        share of successes from 0 to 1 and whose sample weights are numbers of trials.
    link : "identity" or "log" ("logit", "probit" or "cloglog" for "binomial"), or "auto": identity for
        "normal", logit for "binomial", log for others.
    power : of the mean that the variance is, for "tweedie".
    alpha : strength of the penalty, at least 0.
    l1_ratio : rho, the share of the L1 penalty, from 0 to 1.
    lower_bounds, upper_bounds : of the coefficients: a number, (p,) numbers, or None; 0 lies between them.
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
    >>> model = GeneralizedLinearRegressor(family="binomial", link="probit", verbose=0)
    >>> model.fit([[0.0], [1.0]], [0.5, 0.841344746]).coef_.round(6)
    array([1.])
    """

    def __init__(
        self,
        *,
        family: str = "normal",
        link: str = "auto",
        power: float = 1.5,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        lower_bounds: Any = None,
        upper_bounds: Any = None,
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
        self.family = family
        self.link = link
        self.power = power
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.lower_bounds = lower_bounds
        self.upper_bounds = upper_bounds
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

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        offset: Any = None,
        *,
        sample_dims: Any = None,
        feature_dims: Any = None,
        missing: Missing = "raise",
        fit_over: Any = None,
    ) -> Self:
        """Fit the model to X (n, p), y (n,), weights and offset (n,); see ``LogisticRegression.fit``."""
        refuse_share(self, "l1_ratio")
        bounds = {name: getattr(self, name) for name in ("lower_bounds", "upper_bounds")}
        for name, given in bounds.items():
            if np.shape(given) == ():
                continue
            n_features = features_in(Asked(sample_dims, feature_dims, missing, fit_over), X, y)
            if np.shape(given) != (n_features,):
                raise UnsupportedParameter(
                    f"{name} has shape {np.shape(given)}; expected a number or ({n_features},)."
                )
        return super().fit(
            X,
            y,
            sample_weight,
            offset,
            sample_dims=sample_dims,
            feature_dims=feature_dims,
            missing=missing,
            fit_over=fit_over,
        )

    def _penalty(self, weight_sum: float) -> Penalty:
        ridge, lasso = self.alpha * (1.0 - self.l1_ratio), self.alpha * self.l1_ratio
        penalty: Penalty = ElasticNet(lasso, ridge) if lasso > 0 else super()._penalty(weight_sum)
        if self.lower_bounds is None and self.upper_bounds is None:
            return penalty
        lower = -np.inf if self.lower_bounds is None else np.asarray(self.lower_bounds, dtype=np.float64)
        upper = np.inf if self.upper_bounds is None else np.asarray(self.upper_bounds, dtype=np.float64)
        return Bounded(penalty, lower, upper)

    def _loss(self) -> Loss:
        """The loss of family and link; refuses pairs that make no model."""
        if self.family not in (*POWERS, "tweedie", "binomial"):
            known = ", ".join(map(repr, (*POWERS, "tweedie", "binomial")))
            raise UnsupportedParameter(f"family={self.family!r}: expected one of {known}.")
        binary = self.family == "binomial"
        allowed = ("auto", "logit", "probit", "cloglog") if binary else ("auto", "identity", "log")
        if self.link not in allowed:
            raise UnsupportedParameter(
                f"link={self.link!r} with family={self.family!r}: expected one of "
                f"{', '.join(map(repr, allowed))}."
            )
        if binary:
            return Binomial("logit" if self.link == "auto" else self.link)
        return tweedie_loss(POWERS.get(self.family, self.power), self.link)
