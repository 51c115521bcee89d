"""Logistic regression."""

from __future__ import annotations

from functools import partial
from typing import Any, Self, final

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted

from daskml_dist import fit as spine
from daskml_dist import inputs
from daskml_dist.errors import InvalidData
from daskml_dist.fit import Outcome, Training
from daskml_dist.kernels import Point
from daskml_dist.linear_model._base import (
    LinearModel,
    check_features,
    margins,
    refuse_changed,
    refuse_common,
    refuse_outside,
    refuse_share,
    seed_of,
)
from daskml_dist.losses import Logistic
from daskml_dist.penalties import L2, ElasticNet, Penalty, Unpenalised
from daskml_dist.types import AnyArray, FloatArray


@final
class LogisticRegression(ClassifierMixin, LinearModel):
    r"""Binary logistic regression with an L2, L1 or elastic net penalty; the same optimum as scikit-learn's.

    .. math::

        \min_{w, b} \; C \sum_i s_i \log(1 + \exp(-t_i (x_i^T w + b)))
        + \tfrac{1 - \rho}{2} |w|_2^2 + \rho |w|_1, \quad t_i = \pm 1

    Parameters
    ----------
    C : inverse strength of the penalty; ``np.inf`` for none.
    l1_ratio : share of the L1 penalty, from 0 (L2) to 1 (lasso).
    dual, intercept_scaling, n_jobs : scikit-learn's; only their defaults are supported.
    tol : the relative optimality gap to reach, (F - min F) / max(F, F_null / 1000).
    fit_intercept : whether a constant is added; it is never penalised.
    class_weight : dict of class and factor, "balanced", or None.
    random_state : seed of the samples that the default solver starts from.
    solver : "auto", "progressive-newton", "newton", "newton-cg" or "lbfgs".
    max_iter : how many passes over the data may be made.
    verbose : 0 silent; 1 a progress line in a terminal; 2 a line a pass.
    warm_start : start from the coefficients of the last fit.
    certify : prove the gap even where that costs more than two gradient passes.
    scheduler : None for the current ``distributed.Client`` (threads where there is none or X is in
        memory), "threads", a Client, or the address of a scheduler.
    checkpoint : directory or fsspec URL where the state is kept after each pass, and from which a fit
        that was cut short goes on; or None.

    Attributes
    ----------
    classes_ : (2,) labels.
    coef_ : (1, p). intercept_ : (1,). n_iter_ : (1,) passes.
    n_passes_ : passes over the data. gap_ : relative gap. gap_kind_ : how it is known.
    history_ : a dict for each pass. graph_ : the last pass as a dask graph, or None.
    n_features_in_, feature_names_in_ : as in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegression(C=1.0, verbose=0).fit(X, y)
    >>> model.score(X, y) > 0.95, model.gap_ < 1e-6, model.gap_kind_
    (True, True, 'self-concordance')
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        dual: bool = False,
        tol: float = 1e-6,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "auto",
        max_iter: int = 100,
        verbose: int = 1,
        warm_start: bool = False,
        n_jobs: Any = None,
        certify: bool = False,
        scheduler: Any = None,
        checkpoint: str | None = None,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.certify = certify
        self.scheduler = scheduler
        self.checkpoint = checkpoint

    def fit(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : (n, p) numpy, list, pandas, dask array or dataframe, or xarray.
        y : (n,) labels of two classes: numbers, strings or bools.
        sample_weight : (n,) weights, one number, or None.
        offset : (n,) what is added to the margin, or None.

        Returns
        -------
        self.

        Raises
        ------
        InvalidData
            The data cannot be used; a ValueError. NonFiniteData names the chunk and column of NaN or
            infinity.
        UnsupportedParameter
            A parameter is out of range, or means nothing here.
        ClusterGaveUp
            The cluster could not answer after repeated repairs.
        """
        refuse_common(self)
        refuse_outside(self, "C", 0.0, strict=True, infinite=True)
        refuse_share(self, "l1_ratio")
        refuse_changed(self, {"dual": False, "intercept_scaling": 1, "n_jobs": None})
        self._train(self._training(), X, y, sample_weight, offset)
        return self

    def decision_function(self, X: Any) -> Any:
        """(n,) margins x @ w + b, in the kind of X; above zero for ``classes_[1]``."""
        check_is_fitted(self)
        function = partial(_decision, self._point(), self._result_dtype(X))
        return self._apply(X, function, None, self._result_dtype(X))

    def predict(self, X: Any) -> Any:
        """(n,) labels, in the kind of X."""
        check_is_fitted(self)
        return self._apply(X, partial(_labels, self._point(), self.classes_), None, self.classes_.dtype)

    def predict_proba(self, X: Any) -> Any:
        """(n, 2) probabilities in the order of ``classes_``, in the kind of X."""
        check_is_fitted(self)
        function = partial(_probabilities, self._point(), self._result_dtype(X))
        return self._apply(X, function, self.classes_.tolist(), self._result_dtype(X))

    def predict_log_proba(self, X: Any) -> Any:
        """(n, 2) logarithms of the probabilities, in the kind of X."""
        check_is_fitted(self)
        function = partial(_log_probabilities, self._point(), self._result_dtype(X))
        return self._apply(X, function, self.classes_.tolist(), self._result_dtype(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on X and y, as a number; computed on the cluster where X lives there."""
        if not inputs.is_lazy(X, y, sample_weight):
            return float(super().score(X, y, sample_weight))
        check_is_fitted(self)
        check_features(self, X, reset=False)
        return spine.score(self._training(), self._point(), self.classes_, X, y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Logistic(),
            penalty=partial(_penalty, self.C, self.l1_ratio),
            intercept=bool(self.fit_intercept),
            solver=self.solver,
            tol=self.tol,
            max_passes=self.max_iter,
            certify=self.certify,
            seed=seed_of(self.random_state),
            start=self._start(),
            labels=True,
            class_weight=None if self.class_weight is None else partial(_factors, self.class_weight),
            scheduler=self.scheduler,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _start(self) -> Point | None:
        if not self.warm_start or "coef_" not in vars(self):
            return None
        point = self._point()
        return Point(
            point.w, point.b if self.fit_intercept else np.zeros(1), point.centre, bool(self.fit_intercept)
        )

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        assert outcome.classes is not None
        self.classes_ = outcome.classes
        self.coef_, self.intercept_ = w, b
        self.n_iter_ = np.array([outcome.solution.state.passes], dtype=np.int32)


def _penalty(C: float, l1_ratio: float, weight_sum: float) -> Penalty:
    """(1 / C) |w|^2 / 2 on the sum of losses is alpha = 1 / (C sum of weights) on their mean."""
    if np.isinf(C):
        return Unpenalised()
    alpha = 1.0 / (C * weight_sum)
    return L2(alpha) if l1_ratio == 0.0 else ElasticNet(l1_ratio * alpha, (1.0 - l1_ratio) * alpha)


def _factors(class_weight: Any, classes: AnyArray, counts: AnyArray, weights: AnyArray) -> FloatArray:
    """(2,) the factor of each class."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        # as compute_class_weight("balanced", sample_weight=...): classes get the same total weight
        return np.asarray(weights.sum() / (len(classes) * weights))
    if not isinstance(class_weight, dict):
        raise InvalidData(
            f"class_weight must be a dict of class and factor, 'balanced', or None; got: {class_weight!r}."
        )
    try:
        factors = compute_class_weight(class_weight, classes=classes, y=classes)
    except ValueError as cause:
        raise InvalidData(f"class_weight does not fit the classes of y: {cause}") from cause
    if not all(np.isfinite(factors) & (factors >= 0)):
        raise InvalidData(f"class_weight={class_weight!r}: expected finite factors >= 0.")
    return np.asarray(factors, dtype=np.float64)


def _decision(point: Point, dtype: Any, x: AnyArray) -> AnyArray:
    return margins(point, x).astype(dtype)


def _labels(point: Point, classes: AnyArray, x: AnyArray) -> AnyArray:
    return np.asarray(classes[(margins(point, x) > 0.0).astype(np.intp)])


def _probabilities(point: Point, dtype: Any, x: AnyArray) -> AnyArray:
    z = margins(point, x)
    return np.column_stack([Logistic().mean(-z), Logistic().mean(z)]).astype(dtype)


def _log_probabilities(point: Point, dtype: Any, x: AnyArray) -> AnyArray:
    z = margins(point, x)
    return np.column_stack([-np.logaddexp(0.0, z), -np.logaddexp(0.0, -z)]).astype(dtype)
