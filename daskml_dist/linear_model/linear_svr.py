"""Linear support vector regression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Self, final

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import refuse_changed, refuse_common, refuse_outside, seed_of
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model._regression import LinearRegressor
from daskml_dist.linear_model.linear_svc import svm_penalty
from daskml_dist.losses import EpsilonInsensitive, Loss, Squared, SquaredEpsilonInsensitive
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray

LOSSES: dict[str, Callable[[float], Loss]] = {
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
}


@final
class LinearSVR(LinearRegressor):
    r"""Linear regression that residuals up to epsilon cost nothing, with an L2 penalty.

    .. math::

        \min_{w, b} \; \tfrac12 |w|_2^2 + \tfrac12 (b / c)^2
        + C \sum_i s_i \max(0, |y_i - x_i^T w - b| - \epsilon)^r

    with r = 1 for ``loss="epsilon_insensitive"`` and r = 2 for "squared_epsilon_insensitive"; c is
    ``intercept_scaling``. The intercept is penalised like the coefficient of one more feature whose value is
    c, as in scikit-learn (liblinear).

    Parameters
    ----------
    epsilon : the residual that costs nothing, at least 0.
    tol : the relative optimality gap to reach.
    C : inverse strength of the penalty.
    loss : "epsilon_insensitive" or "squared_epsilon_insensitive".
    fit_intercept : whether a constant is added.
    intercept_scaling : the larger, the less the intercept is penalised.
    dual : scikit-learn's; only its default is supported.
    verbose, random_state, scheduler, checkpoint : see ``LogisticRegression``.
    max_iter : how many passes over the data may be made.

    Attributes
    ----------
    coef_ : (p,). intercept_ : (1,), or 0.0 without an intercept.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> model = LinearSVR(loss="squared_epsilon_insensitive", C=1e6, verbose=0)
    >>> model.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]).coef_.round(4)
    array([2.])
    """

    def __init__(
        self,
        *,
        epsilon: float = 0.0,
        tol: float = 1e-6,
        C: float = 1.0,
        loss: str = "epsilon_insensitive",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        dual: Any = "auto",
        verbose: int = 1,
        random_state: Any = None,
        max_iter: int = 100,
        scheduler: Any = None,
        checkpoint: Checkpoint | str | None = None,
    ) -> None:
        self.epsilon = epsilon
        self.tol = tol
        self.C = C
        self.loss = loss
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.dual = dual
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
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
        refuse_outside(self, "epsilon", 0.0)
        refuse_outside(self, "C", 0.0, strict=True)
        refuse_outside(self, "intercept_scaling", 0.0, strict=True)
        refuse_changed(self, {"dual": "auto"})
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(self._training(), X, y, sample_weight, asked=asked)
        return self

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """r2."""
        return self._score(replace(self._training(), loss=Squared()), X, y, sample_weight)

    def _loss(self) -> Loss:
        if self.loss not in LOSSES:
            raise UnsupportedParameter(
                f"LinearSVR(loss={self.loss!r}): expected one of {', '.join(map(repr, LOSSES))}."
            )
        return LOSSES[self.loss](float(self.epsilon))

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=self._loss(),
            penalty=partial(svm_penalty, self.C, "l2"),
            intercept=bool(self.fit_intercept),
            intercept_scaling=float(self.intercept_scaling),
            tol=self.tol,
            max_passes=self.max_iter,
            seed=seed_of(self.random_state),
            scheduler=self.scheduler,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        self.coef_ = w[0]
        self.intercept_ = b if self.fit_intercept else 0.0
        self.n_iter_ = outcome.solution.state.passes
