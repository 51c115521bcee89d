"""Tweedie regression."""

from __future__ import annotations

from typing import Any, final

from daskml_dist.linear_model._glm import GLM
from daskml_dist.losses import Gamma, Loss, Poisson, Squared, Tweedie
from daskml_dist.solvers import Solver
from daskml_dist.storage import Checkpoint


@final
class TweedieRegressor(GLM):
    r"""A generalised linear model whose variance is a power of its mean, with an L2 penalty.

    .. math:: \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \tfrac12 d(y_i, \mu_i) + \tfrac{\alpha}{2} |w|^2

    with the unit deviance d of a Tweedie distribution and :math:`\mu_i = \exp(z_i)` or :math:`\mu_i = z_i`,
    :math:`z_i = x_i^T w + b + o_i`.

    Parameters
    ----------
    power : 0 normal, 1 Poisson, between 1 and 2 compound Poisson and gamma, 2 gamma, 3 inverse Gaussian.
    link : "identity", "log", or "auto": identity for powers of 0 and less, log for others.
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
    >>> model = TweedieRegressor(power=1.5, alpha=0.0, verbose=0).fit([[0.0], [1.0], [2.0]], [1.0, 2.0, 4.0])
    >>> model.coef_.round(6), round(float(model.intercept_), 6) + 0.0
    (array([0.693147]), 0.0)
    """

    def __init__(
        self,
        *,
        power: float = 0.0,
        link: str = "auto",
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
        self.power = power
        self.link = link
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
        tags.target_tags.positive_only = self.power >= 1.0
        return tags

    def _loss(self) -> Loss:
        return tweedie_loss(self.power, self.link)


def tweedie_loss(power: float, link: str) -> Loss:
    """The loss of a power and a link; of several that are the same, the fastest."""
    if link == "auto":
        link = "identity" if power <= 0.0 else "log"
    fused: dict[tuple[float, str], type[Loss]] = {
        (0.0, "identity"): Squared,
        (1.0, "log"): Poisson,
        (2.0, "log"): Gamma,
    }
    if (float(power), link) in fused:
        return fused[float(power), link]()
    return Tweedie(float(power), link)
