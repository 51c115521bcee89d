"""The elastic net, and the lasso."""

from __future__ import annotations

from functools import partial
from typing import Any, Self, final

import numpy as np
import scipy.sparse

from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import (
    refuse_changed,
    refuse_other_types,
    refuse_outside,
    refuse_share,
    seed_of,
)
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model.least_squares import LeastSquaresModel, within
from daskml_dist.losses import Squared
from daskml_dist.penalties import L2, Penalty, Unpenalised
from daskml_dist.penalties import ElasticNet as ElasticNetPenalty
from daskml_dist.types import AnyArray


class _ElasticNet(LeastSquaresModel):
    """What the elastic net and the lasso share."""

    alpha: float
    l1_ratio: float
    positive: bool

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
        refuse_changed(self, {"precompute": False, "copy_X": True, "selection": "cyclic"})
        refuse_outside(self, "alpha", 0.0)
        refuse_other_types(self, {"positive": bool}, "True or False")
        refuse_share(self, "l1_ratio")
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._fit(X, y, sample_weight, asked)
        return self

    @property
    def sparse_coef_(self) -> Any:
        """``coef_`` as a sparse matrix, (1, p) or (t, p)."""
        return scipy.sparse.csr_array(np.asarray(self.coef_).reshape(-1, self.n_features_in_))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        super()._set_coefficients(w, b, outcome)
        progress = outcome.solution.state.progress
        self.dual_gap_ = float("inf") if progress is None else progress.gap * progress.objective

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Squared(),
            penalty=partial(_penalty, self.alpha, self.l1_ratio, self.positive),
            intercept=bool(self.fit_intercept),
            tol=self.tol,
            max_passes=self.max_iter,
            seed=seed_of(self.random_state),
            start=self._start(),
            multi_output=True,
            scheduler=self.scheduler,
            verbose=self.verbose,
        )


@final
class Lasso(_ElasticNet):
    r"""Least squares with an L1 penalty, in one pass over the data; see ``ElasticNet``.

    .. math:: \min_{w, b} \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - x_i^T w - b)^2 + \alpha |w|_1

    Parameters
    ----------
    alpha : strength of the penalty, at least 0.
    fit_intercept, precompute, copy_X, max_iter, tol, warm_start : see ``ElasticNet``.
    positive, random_state, selection, verbose, scheduler : see ``ElasticNet``.

    Attributes
    ----------
    coef_, intercept_, sparse_coef_, dual_gap_, n_passes_, gap_ : see ``ElasticNet``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Lasso(alpha=0.5, verbose=0).fit(X, y)
    >>> (model.coef_ != 0.0).sum(), model.gap_ < 1e-12, model.gap_kind_
    (np.int64(4), True, 'closed-form')
    """

    l1_ratio = 1.0

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int = 1000,
        copy_X: bool = True,
        tol: float = 1e-6,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        verbose: int = 1,
        scheduler: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.verbose = verbose
        self.scheduler = scheduler


@final
class ElasticNet(_ElasticNet):
    r"""Least squares with an L1 and an L2 penalty, in one pass over the data.

    .. math:: \min_{w, b} \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - x_i^T w - b)^2
        + \alpha \rho |w|_1 + \tfrac12 \alpha (1 - \rho) |w|_2^2

    The moments of the data are gathered in one pass; the minimum is then found to rounding, and the gap is
    proven from the moments. With more than 2,000 sparse or 8,192 dense features, the moments of some of them
    at a time are gathered instead, in some ten passes (``solver="working-set"`` of other models).

    Parameters
    ----------
    alpha : strength of the penalty, at least 0.
    l1_ratio : rho, from 0 (ridge) to 1 (lasso).
    fit_intercept : whether a constant is added; it is never penalised.
    precompute, copy_X, selection : scikit-learn's; only their defaults are supported.
    random_state : of no consequence, since nothing is drawn.
    max_iter : how many passes over the data may be made; one is enough but for very many features.
    tol : the relative optimality gap to reach; in one pass, the minimum is found to rounding.
    warm_start : start from the coefficients of the last fit.
    positive : whether coefficients must not be negative.
    verbose, scheduler : see ``LogisticRegression``.

    Attributes
    ----------
    coef_ : (p,), or (t, p) for a y of t columns. intercept_ : number or (t,).
    sparse_coef_ : the same as a sparse matrix. dual_gap_ : the gap, in units of the objective.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNet(alpha=0.01, l1_ratio=0.7, verbose=0).fit(X, y)
    >>> round(model.score(X, y), 4), model.n_passes_
    (0.4285, 1)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int = 1000,
        copy_X: bool = True,
        tol: float = 1e-6,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        verbose: int = 1,
        scheduler: Any = None,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.verbose = verbose
        self.scheduler = scheduler


def _penalty(alpha: float, l1_ratio: float, positive: bool, weight_sum: float) -> Penalty:
    """The mean of half squares has scikit-learn's alpha as it stands."""
    if alpha == 0.0:
        return within(Unpenalised(), positive)
    if l1_ratio == 0.0:
        return within(L2(alpha), positive)
    return within(ElasticNetPenalty(alpha * l1_ratio, alpha * (1.0 - l1_ratio)), positive)
