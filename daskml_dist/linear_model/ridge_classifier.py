"""Classification by ridge regression on targets of -1 and 1."""

from __future__ import annotations

from functools import partial
from typing import Any, Self, final

import numpy as np

from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import (
    refuse_changed,
    refuse_common,
    refuse_other_types,
    refuse_outside,
    seed_of,
)
from daskml_dist.linear_model._classes import LinearClassifier, class_factors
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model.least_squares import ridge_penalty
from daskml_dist.losses import Squared
from daskml_dist.solvers import Solver
from daskml_dist.types import AnyArray, FloatArray


class RidgeClassifierModel(LinearClassifier):
    """What the ridge classifiers share."""

    fit_intercept: bool

    def _training(self) -> Training:
        raise NotImplementedError

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        assert outcome.classes is not None
        self.classes_ = outcome.classes
        self.coef_ = w[0] if len(w) == 1 else w  # as scikit-learn's is
        self.intercept_: Any = b if self.fit_intercept else 0.0
        self.n_iter_ = outcome.solution.state.passes


@final
class RidgeClassifier(RidgeClassifierModel):
    r"""Classes as targets of a ridge regression, in one pass over the data for all classes.

    .. math:: \min_{w_k, b_k} \sum_i s_i (t_{ik} - x_i^T w_k - b_k)^2 + \alpha |w_k|^2, \quad t_{ik} = \pm 1

    A row has the target 1 in its class k and -1 in the others; two classes have one target. The class with
    the largest margin is predicted.

    Parameters
    ----------
    alpha : strength of the penalty, at least 0.
    fit_intercept : whether a constant is added; it is never penalised.
    copy_X : scikit-learn's; only its default is supported.
    max_iter : how many passes over the data may be made for a class.
    tol : relative optimality gap, for the iterative solvers.
    class_weight : dict of class and factor, "balanced" (by numbers of rows), or None.
    solver : "auto", "least-squares", "newton", "progressive-newton", "newton-cg", "lbfgs" or
        "gradient_descent", or a ``GradientDescent`` with a rule for its steps; all but the first two solve
        for each class by itself, in the same passes. "auto" is "newton-cg" for more than 2,000 sparse or
        8,192 dense features.
    positive : whether coefficients must not be negative.
    random_state : seed of samples.
    verbose, scheduler : see ``LogisticRegression``.

    Attributes
    ----------
    classes_ : (k,) labels.
    coef_ : (p,) for two classes, else (k, p). intercept_ : (1,) or (k,), or 0.0 without one.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RidgeClassifier(verbose=0).fit(X, y)
    >>> round(model.score(X, y), 4), model.coef_.shape, model.n_passes_
    (0.8533, (3, 4), 1)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int = 100,
        tol: float = 1e-6,
        class_weight: Any = None,
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
        self.class_weight = class_weight
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
        """Fit the model to X (n, p), labels y (n,), and weights (n,); see ``LogisticRegression.fit``."""
        refuse_common(self)
        refuse_outside(self, "alpha", 0.0)
        refuse_changed(self, {"copy_X": True})
        refuse_other_types(self, {"positive": bool | np.bool_}, "True or False")
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(self._training(), X, y, sample_weight, asked=asked)
        return self

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
            labels=True,
            signs=True,
            class_weight=None if self.class_weight is None else partial(row_factors, self.class_weight),
            scheduler=self.scheduler,
            verbose=self.verbose,
        )


def row_factors(class_weight: Any, classes: AnyArray, counts: AnyArray, weights: AnyArray) -> FloatArray:
    """(k,) the factor of each class; balanced ones by rows, whatever their weights, as in scikit-learn."""
    return class_factors(class_weight, classes, counts, counts)
