"""Lasso and elastic net whose penalty is chosen by cross-validation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self, final

import numpy as np

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.fit import Outcome, Training, rule_of
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import (
    refuse_changed,
    refuse_common,
    refuse_other_types,
    refuse_outside,
    seed_of,
)
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model._search import no_penalty, numbers_of
from daskml_dist.linear_model.least_squares import LeastSquaresModel
from daskml_dist.losses import Squared
from daskml_dist.solvers import LassoSearch
from daskml_dist.types import AnyArray


class _LassoSearchModel(LeastSquaresModel):
    """What the lasso and the elastic net share."""

    alphas: Any
    eps: float
    positive: bool
    cv: Any

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        *,
        sample_dims: Any = None,
        feature_dims: Any = None,
        missing: Missing = "raise",
        fit_over: Any = None,
    ) -> Self:
        """Choose the penalty, and fit the model with it.

        Parameters
        ----------
        X, y, sample_weight : (n, p), (n,) and (n,); see ``LogisticRegression.fit``. Weights count in training
            and in the errors of a test fold; splits count alike.
        groups : (n,) which rows stay together, for ``cv=GroupKFold(...)``.
        """
        refuse_changed(self, {"precompute": "auto", "copy_X": True, "n_jobs": None, "selection": "cyclic"})
        refuse_common(self)
        refuse_outside(self, "eps", 0.0, strict=True)
        refuse_other_types(self, {"positive": bool}, "True or False")
        self._wide = False
        search = LassoSearch(self._ratios(), self._alphas(), float(self.eps), bool(self.positive))
        training = replace(self._training(), solver=search, cv=rule_of(self.cv, labels=False))
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(training, X, y, sample_weight, groups=groups, asked=asked)
        return self

    def _ratios(self) -> tuple[float, ...]:
        return (1.0,)

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        super()._set_coefficients(w, b, outcome)
        state = outcome.solution.state
        grid = state.arrays["alphas"]
        single = len(grid) == 1 or np.ndim(self.alphas) > 0  # the same for each l1_ratio
        self.alphas_ = grid[0] if single else grid
        self.mse_path_ = np.squeeze(state.arrays["errors"])
        self.alpha_ = state.numbers["alpha"]
        assert state.progress is not None
        self.dual_gap_ = state.progress.gap * state.progress.objective

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Squared(),
            penalty=no_penalty,
            intercept=bool(self.fit_intercept),
            tol=self.tol,
            max_passes=self.max_iter,
            seed=seed_of(self.random_state),
            scheduler=self.scheduler,
            verbose=self.verbose,
        )

    def _alphas(self) -> int | tuple[float, ...]:
        """How many alphas, or which, in descending order."""
        if isinstance(self.alphas, int | np.integer) and not isinstance(self.alphas, bool):
            if self.alphas < 1:
                raise UnsupportedParameter(
                    f"{type(self).__name__}(alphas={self.alphas!r}): expected 1 or more, or a list of values."
                )
            if 0.0 in self._ratios():
                raise InvalidData(
                    "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a grid "
                    "by providing your estimator with the appropriate `alphas=` argument."
                )
            return int(self.alphas)
        return tuple(sorted(numbers_of(self, "alphas"), reverse=True))


@final
class LassoCV(_LassoSearchModel):
    r"""Lasso with the best penalty of a grid, in one pass over the data for all penalties and folds.

    .. math:: \min_{w, b} \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - x_i^T w - b)^2 + \alpha |w|_1

    Parameters
    ----------
    eps, alphas, fit_intercept, precompute, max_iter, tol, copy_X, cv : see ``ElasticNetCV``.
    verbose, n_jobs, positive, random_state, selection, scheduler : see ``ElasticNetCV``.

    Attributes
    ----------
    alpha_, coef_, intercept_, mse_path_, alphas_, dual_gap_, n_passes_, gap_ : see ``ElasticNetCV``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LassoCV(verbose=0).fit(X, y)
    >>> round(model.alpha_, 4), model.mse_path_.shape, model.n_passes_
    (0.0038, (100, 5), 1)
    """

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        copy_X: bool = True,
        cv: Any = None,
        verbose: int = 1,
        n_jobs: Any = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        scheduler: Any = None,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.copy_X = copy_X
        self.cv = cv
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.scheduler = scheduler


@final
class ElasticNetCV(_LassoSearchModel):
    r"""Elastic net with the best penalty of a grid, in one pass over the data for all penalties and folds.

    .. math:: \min_{w, b} \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - x_i^T w - b)^2
        + \alpha \rho |w|_1 + \tfrac12 \alpha (1 - \rho) |w|_2^2

    Moments are gathered fold by fold. What a split is trained on is a sum over folds, and so is what it is
    tested on, so that all fits and all their errors on held-out rows follow from these moments. A second
    pass is made only where a model is so good that its errors are lost in the rounding of moments.

    Parameters
    ----------
    l1_ratio : rho, from 0 (ridge) to 1 (lasso); a number, or several of which the best is taken.
    eps : the least alpha of a grid, as a share of the largest one.
    alphas : values to try for each l1_ratio, or how many.
    fit_intercept : whether a constant is added; it is never penalised.
    precompute, copy_X, n_jobs, selection : scikit-learn's; only their defaults are supported.
    random_state : of no consequence, since nothing is drawn; see ``cv`` for how folds are shuffled.
    max_iter : how many passes over the data may be made; one is enough.
    tol : the relative optimality gap to reach; minima are found to rounding.
    cv : None (5 folds), a number of folds, or KFold, StratifiedKFold, GroupKFold or TimeSeriesSplit of
        ``daskml_dist.model_selection`` or of scikit-learn; or a list of (train, test) positions of rows.
    positive : whether coefficients must not be negative.
    verbose, scheduler : see ``LogisticRegression``.

    Attributes
    ----------
    alpha_, l1_ratio_ : the penalty that was chosen.
    coef_ : (p,). intercept_ : number.
    mse_path_ : (R, A, S) mean squared errors for R values of l1_ratio, A of alpha and S splits; axes of
        length 1 are left out.
    alphas_ : (A,), or (R, A) where each l1_ratio has its own. dual_gap_ : the gap, in units of the objective.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNetCV(l1_ratio=[0.5, 0.9], verbose=0).fit(X, y)
    >>> model.l1_ratio_, round(model.alpha_, 4), model.n_passes_
    (0.9, 0.0024, 1)
    """

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-6,
        cv: Any = None,
        copy_X: bool = True,
        verbose: int = 1,
        n_jobs: Any = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        scheduler: Any = None,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.scheduler = scheduler

    def _ratios(self) -> tuple[float, ...]:
        ratios = numbers_of(self, "l1_ratio")
        if max(ratios) > 1.0:
            raise UnsupportedParameter(
                f"ElasticNetCV(l1_ratio={self.l1_ratio!r}): expected numbers from 0 to 1."
            )
        return ratios

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        super()._set_coefficients(w, b, outcome)
        self.l1_ratio_ = outcome.solution.state.numbers["l1_ratio"]
