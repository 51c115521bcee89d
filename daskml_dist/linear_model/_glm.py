"""What the generalised linear models share: one margin, one loss, an L2 penalty."""

from __future__ import annotations

from typing import Any, Self

from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import refuse_common, refuse_outside, ridge, seed_of
from daskml_dist.linear_model._maps import fit_maps
from daskml_dist.linear_model._regression import LinearRegressor
from daskml_dist.losses import Loss
from daskml_dist.penalties import Penalty
from daskml_dist.solvers import Solver
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray


class GLM(LinearRegressor):
    """A regressor of one target that minimises the mean of a loss and alpha |w|^2 / 2."""

    alpha: float
    fit_intercept: bool
    solver: str | Solver
    max_iter: int
    tol: float
    warm_start: bool
    verbose: int
    certify: bool
    random_state: Any
    scheduler: Any
    checkpoint: Checkpoint | str | None

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
        refuse_common(self)
        refuse_outside(self, "alpha", 0.0)
        asked = Asked(sample_dims, feature_dims, missing, fit_over)
        if fit_over is not None:
            fit_maps(self, self._training(), asked, X, y, sample_weight, offset)
            return self
        self._train(self._training(), X, y, sample_weight, offset, asked=asked)
        return self

    def _penalty(self, weight_sum: float) -> Penalty:
        """The mean of the losses has scikit-learn's alpha as it stands."""
        return ridge(self.alpha)

    def _loss(self) -> Loss:
        """The loss that the parameters name."""
        raise NotImplementedError

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=self._loss(),
            penalty=self._penalty,
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

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        self.coef_ = w[0]
        self.intercept_ = b[0] if self.fit_intercept else 0.0
        self.n_iter_ = outcome.solution.state.passes
