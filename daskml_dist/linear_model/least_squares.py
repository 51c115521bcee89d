"""Ordinary least squares and ridge regression."""

from __future__ import annotations

from functools import partial
from typing import Any, Self, final

import numpy as np

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import (
    refuse_changed,
    refuse_common,
    refuse_other_types,
    refuse_outside,
    ridge,
    seed_of,
)
from daskml_dist.linear_model._maps import fit_maps
from daskml_dist.linear_model._regression import LinearRegressor
from daskml_dist.losses import Squared
from daskml_dist.penalties import L2, Bounded, Penalty, Unpenalised
from daskml_dist.solvers import Solver
from daskml_dist.types import AnyArray


class LeastSquaresModel(LinearRegressor):
    """The attributes of a least squares fit."""

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        flat = not self._wide
        self.coef_ = w[0] if flat else w
        self.intercept_: Any = (b[0] if flat else b) if self.fit_intercept else 0.0
        self.n_iter_ = outcome.solution.state.passes

    def _fit(self, X: Any, y: Any, sample_weight: Any, asked: Asked) -> None:
        refuse_common(self)
        self._wide = columns_of(y) is not None and not asked.given
        if asked.fit_over is not None:
            fit_maps(self, self._training(), asked, X, y, sample_weight)
            return
        self._train(self._training(), X, y, sample_weight, asked=asked)


@final
class LinearRegression(LeastSquaresModel):
    r"""Ordinary least squares, in one pass over the data.

    .. math:: \min_{w, b} \sum_i s_i (y_i - x_i^T w - b)^2

    Parameters
    ----------
    fit_intercept : whether a constant is added.
    copy_X, n_jobs : scikit-learn's; only their defaults are supported.
    positive : whether coefficients must not be negative.
    tol : relative optimality gap, for the iterative solvers.
    solver : "auto", "least-squares", "newton", "progressive-newton", "newton-cg", "lbfgs",
        "gradient_descent" or "model-parallel", or a ``GradientDescent`` with a rule for its steps; all but
        the first two solve for each column of y by itself, in the same passes. "auto" is "newton-cg" for
        more than 2,000 sparse or 8,192 dense features, "working-set" where coefficients are bounded. With
        "model-parallel" (one target) coefficients live with the column chunks of X.
    max_iter : how many passes over the data may be made for a column of y.
    verbose : 0 silent; 1 a progress line in a terminal; 2 a line a pass.
    scheduler : see ``LogisticRegression``.

    Attributes
    ----------
    coef_ : (p,), or (t, p) for a y of t columns. intercept_ : number or (t,).
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> model = LinearRegression(verbose=0).fit(X, [1.0, 3.0, 5.0])
    >>> model.coef_.round(12), round(float(model.intercept_), 12), model.n_passes_
    (array([2.]), 1.0, 1)
    """

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-6,
        n_jobs: Any = None,
        positive: bool = False,
        solver: str | Solver = "auto",
        max_iter: int = 100,
        verbose: int = 1,
        scheduler: Any = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.scheduler = scheduler

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
        """Fit the model to X (n, p), y (n,) or (n, t), and weights (n,); see ``LogisticRegression.fit``."""
        refuse_changed(self, {"copy_X": True, "n_jobs": None})
        refuse_other_types(self, {"positive": bool | np.bool_}, "True or False")
        self._fit(X, y, sample_weight, Asked(sample_dims, feature_dims, missing, fit_over))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Squared(),
            penalty=partial(_no_penalty, self.positive),
            intercept=bool(self.fit_intercept),
            solver=self.solver,
            tol=self.tol,
            max_passes=self.max_iter,
            multi_output=True,
            scheduler=self.scheduler,
            verbose=self.verbose,
        )


@final
class Ridge(LeastSquaresModel):
    r"""Least squares with an L2 penalty, in one pass over the data.

    .. math:: \min_{w, b} \sum_i s_i (y_i - x_i^T w - b)^2 + \alpha |w|^2

    Parameters
    ----------
    alpha : strength of the penalty, at least 0; one number, or one for each column of y.
    fit_intercept : whether a constant is added; it is never penalised.
    copy_X : scikit-learn's; only its default is supported.
    positive : whether coefficients must not be negative.
    max_iter : how many passes over the data may be made for a column of y.
    tol : relative optimality gap, for the iterative solvers.
    solver : "auto", "least-squares", "newton", "progressive-newton", "newton-cg", "lbfgs",
        "gradient_descent" or "model-parallel", or a ``GradientDescent`` with a rule for its steps; all but
        the first two solve for each column of y by itself, in the same passes. "auto" is "newton-cg" for
        more than 2,000 sparse or 8,192 dense features, "working-set" where coefficients are bounded. With
        "model-parallel" (one target) coefficients live with the column chunks of X.
    random_state : seed of samples.
    verbose, scheduler : see ``LogisticRegression``.

    Attributes
    ----------
    coef_ : (p,), or (t, p) for a y of t columns. intercept_ : number or (t,).
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(Ridge(alpha=1.0, verbose=0).fit(X, y).score(X, y), 4)
    0.4512
    """

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int = 100,
        tol: float = 1e-6,
        solver: str | Solver = "auto",
        positive: bool = False,
        random_state: Any = None,
        verbose: int = 1,
        scheduler: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.verbose = verbose
        self.scheduler = scheduler

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
        """Fit the model to X (n, p), y (n,) or (n, t), and weights (n,); see ``LogisticRegression.fit``."""
        refuse_changed(self, {"copy_X": True})
        refuse_other_types(self, {"positive": bool | np.bool_}, "True or False")
        if np.ndim(self.alpha) == 0:
            refuse_outside(self, "alpha", 0.0)
        else:
            self._refuse_alphas(columns_of(y) or 1)
        self._fit(X, y, sample_weight, Asked(sample_dims, feature_dims, missing, fit_over))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _refuse_alphas(self, targets: int) -> None:
        """Refuse penalties of the targets that are no numbers, or not as many as the targets."""
        alphas = np.asarray(self.alpha)
        numbers = (
            alphas.ndim == 1 and alphas.dtype.kind in "iuf" and np.all((alphas >= 0) & np.isfinite(alphas))
        )
        if not numbers:
            raise UnsupportedParameter(
                f"Ridge(alpha={self.alpha!r}): expected finite numbers >= 0, one for each column of y."
            )
        if len(alphas) not in (1, targets):
            raise InvalidData(
                f"Number of targets and number of penalties do not correspond: {len(alphas)} != {targets}."
            )

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        super()._set_coefficients(w, b, outcome)
        if len(w) == 1:
            self.coef_ = w[0]  # as in scikit-learn, a y of one column gives what a vector gives

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Squared(),
            penalty=partial(ridge_penalty, self.alpha, self.positive),
            intercept=bool(self.fit_intercept),
            solver=self.solver,
            tol=self.tol,
            max_passes=self.max_iter,
            seed=seed_of(self.random_state),
            multi_output=True,
            scheduler=self.scheduler,
            verbose=self.verbose,
        )


def columns_of(y: Any) -> int | None:
    """How many columns y has where it has two dimensions, else None."""
    shape: tuple[Any, ...] = np.shape(y) if isinstance(y, list | tuple) else getattr(y, "shape", ())
    return int(shape[1]) if len(shape) == 2 else None


def _no_penalty(positive: bool, weight_sum: float) -> Penalty:
    return within(Unpenalised(), positive)


def ridge_penalty(alpha: Any, positive: bool, weight_sum: float) -> Penalty:
    """alpha |w|^2 on the sum of squares is (alpha / sum of weights) |w|^2 / 2 on the mean of their halves."""
    if np.size(alpha) > 1:
        return within(L2(np.asarray(alpha, dtype=np.float64) / weight_sum), positive)
    level = float(np.ravel(alpha)[0])
    return within(ridge(level / weight_sum), positive)


def within(penalty: Penalty, positive: bool) -> Penalty:
    """The penalty, with coefficients that are not negative where that is asked for."""
    return Bounded(penalty, least=0.0) if positive else penalty
