"""Regression for the group that fares worst."""

from __future__ import annotations

from typing import Any, final

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.fit import Outcome, Training
from daskml_dist.linear_model._base import seed_of
from daskml_dist.linear_model._minimax import MinimaxModel
from daskml_dist.linear_model._regression import LinearRegressor
from daskml_dist.losses import Gamma, Loss, Poisson, Squared
from daskml_dist.risks import Risk
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray

LOSSES: dict[str, Loss] = {"squared_error": Squared(), "poisson": Poisson(), "gamma": Gamma()}


@final
class MinimaxRegressor(MinimaxModel, LinearRegressor):
    r"""A linear model that minimises the largest loss of a group, or another risk of all groups.

    .. math:: \min_{w, b} \; \max_{q \in Q} \sum_{i=1}^{G} q_i J_i(w, b) + \tfrac{\alpha}{2} |w|^2, \quad
        J_i = \text{mean of } \tfrac12 d(y, \mu) \text{ over the rows of group } i

    with the unit deviance d of the loss: (y - mu)^2 for "squared_error", where mu = x'w + b, and those of the
    Poisson and the gamma distribution, where mu = exp(x'w + b). Q are the weights that the adversary may
    choose from: for the worst group all that add up to one.

    Parameters
    ----------
    loss : "squared_error", "poisson" or "gamma".
    risk : "worst-group", "mean" (ordinary training), or ``CVaR(tail)`` or ``ChiSquare(radius)`` of
        ``daskml_dist.risks``.
    regret : whether the loss of a group counts by how far it is above the least that it could have alone.
    group_offsets : dict of group and what is added to its loss, as C / sqrt(rows) of Sagawa et al. 2020; or
        None.
    by : the groups where ``fit`` is given none: "partition", a group for each chunk of X (a single one where
        X is in memory), or "worker", a group for all that a worker holds.
    alpha : strength of the penalty that all groups share, at least 0.
    fit_intercept : whether a constant is added; it is never penalised.
    solver : "auto", "group-newton" (a Hessian of each group in each pass: the fewest passes), "bundle"
        (gradients of each group: any number of features), or a baseline, "exponentiated-gradient" or
        "group-dro"; see docs/minimax.md.
    max_iter : how many passes over the data may be made.
    tol : the relative optimality gap to reach.
    warm_start : start from the coefficients of the last fit.
    verbose, random_state, scheduler, checkpoint : see ``LogisticRegression``.

    Attributes
    ----------
    coef_ : (p,). intercept_ : number.
    groups_ : (G,) labels of the groups: sorted values of ``groups``, positions of chunks or addresses.
    group_losses_ : (G,) mean loss of each, without penalty and offsets.
    group_weights_ : (G,) q, the adversary's weights. binding_groups_ : those with weight.
    group_minima_ : (G,) the least penalised loss of each group alone, where ``regret`` asked for it.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> model = MinimaxRegressor(alpha=0.0, verbose=0)
    >>> model.fit([[0.0], [0.0], [0.0]], [0.0, 0.0, 1.0], groups=["a", "a", "b"]).intercept_.round(6)
    np.float64(0.5)
    """

    def __init__(
        self,
        *,
        loss: str = "squared_error",
        risk: str | Risk = "worst-group",
        regret: bool = False,
        group_offsets: dict[Any, float] | None = None,
        by: str = "partition",
        alpha: float = 1e-3,
        fit_intercept: bool = True,
        solver: str = "auto",
        max_iter: int = 100,
        tol: float = 1e-6,
        warm_start: bool = False,
        verbose: int = 1,
        random_state: Any = None,
        scheduler: Any = None,
        checkpoint: Checkpoint | str | None = None,
    ) -> None:
        self.loss = loss
        self.risk = risk
        self.regret = regret
        self.group_offsets = group_offsets
        self.by = by
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
        self.scheduler = scheduler
        self.checkpoint = checkpoint

    def _training(self) -> Training:
        if self.loss not in LOSSES:
            raise UnsupportedParameter(
                f"MinimaxRegressor(loss={self.loss!r}): expected one of {', '.join(map(repr, LOSSES))}."
            )
        return Training(
            name=type(self).__name__,
            loss=LOSSES[self.loss],
            penalty=self._penalty,
            intercept=bool(self.fit_intercept),
            solver=self.solver,
            tol=self.tol,
            max_passes=self.max_iter,
            seed=seed_of(self.random_state),
            start=self._start(),
            scheduler=self.scheduler,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        self.coef_ = w[0]
        self.intercept_ = b[0] if self.fit_intercept else 0.0
        self.n_iter_ = outcome.solution.state.passes
