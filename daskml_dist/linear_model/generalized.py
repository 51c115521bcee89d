"""Generalised linear models by family and link."""

from __future__ import annotations

from typing import Any, final

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.linear_model._glm import GLM
from daskml_dist.linear_model.tweedie import tweedie_loss
from daskml_dist.losses import Binomial, Loss

POWERS = {"normal": 0.0, "poisson": 1.0, "gamma": 2.0, "inverse gaussian": 3.0}


@final
class GeneralizedLinearRegressor(GLM):
    r"""A generalised linear model of a family and a link, without penalty or with an L2 penalty.

    .. math:: \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \tfrac12 d(y_i, \mu_i) + \tfrac{\alpha}{2} |w|^2,
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
        self.family = family
        self.link = link
        self.power = power
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
