"""Ridge classifier whose penalty is chosen by cross-validation."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Self, final

import numpy as np

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.fit import Outcome, Training, rule_of
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import refuse_other_types
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model._search import no_penalty, numbers_of
from daskml_dist.linear_model.ridge_classifier import RidgeClassifierModel, row_factors
from daskml_dist.losses import Squared
from daskml_dist.solvers import RidgeAccuracy, RidgeLeaveOneOut, Solver
from daskml_dist.types import AnyArray


@final
class RidgeClassifierCV(RidgeClassifierModel):
    """``RidgeClassifier`` with the best penalty of a list, in two passes over the data for all of them.

    With ``cv=None`` each row is predicted by the model of all others, exactly, as ``RidgeCV`` does, and the
    penalty with the least mean squared error on the targets of -1 and 1 is chosen; with folds, that of the
    best accuracy on held-out rows.

    Parameters
    ----------
    alphas : one number or several, above 0, or at least 0 with folds.
    fit_intercept : whether a constant is added; it is never penalised.
    scoring : None, or with folds "accuracy".
    cv : None to leave out one row at a time, or as ``ElasticNetCV`` has it; a number of folds is stratified.
    class_weight : dict of class and factor, "balanced" (by numbers of rows), or None.
    store_cv_results : keep the squared error of each row for each alpha; needs ``cv=None``.
    verbose, scheduler : see ``LogisticRegression``.

    Attributes
    ----------
    alpha_ : the penalty that was chosen. best_score_ : minus its mean squared error, or its accuracy.
    cv_results_ : (n, t, A) squared errors by row, in memory; t = 1 for two classes, else k.
    classes_, coef_, intercept_ : see ``RidgeClassifier``.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = RidgeClassifierCV(alphas=[1e-3, 1e-2, 1e-1, 1], verbose=0).fit(X, y)
    >>> round(model.score(X, y), 4), model.n_passes_
    (0.9631, 2)
    """

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        class_weight: Any = None,
        store_cv_results: bool = False,
        verbose: int = 1,
        scheduler: Any = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.class_weight = class_weight
        self.store_cv_results = store_cv_results
        self.verbose = verbose
        self.scheduler = scheduler

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
        X, y, sample_weight : (n, p), (n,) labels, and (n,); see ``LogisticRegression.fit``. Weights, and
            those of classes, count in training and in scores; splits count alike.
        groups : (n,) which rows stay together, for ``cv=GroupKFold(...)``.
        """
        self._refuse()
        self.__dict__.pop("cv_results_", None)
        rule = None if self.cv is None else rule_of(self.cv, labels=True)
        alphas = numbers_of(self, "alphas", strict=rule is None)
        solver: Solver = RidgeLeaveOneOut(alphas, keep=bool(self.store_cv_results))
        if rule is not None:
            solver = RidgeAccuracy(alphas)
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        training = replace(self._training(), solver=solver, cv=rule)
        self._train(training, X, y, sample_weight, groups=groups, asked=asked)
        return self

    def _refuse(self) -> None:
        """Refuse parameters that mean nothing here, or nothing together."""
        switches = dict.fromkeys(("fit_intercept", "store_cv_results"), bool | np.bool_)
        refuse_other_types(self, switches, "True or False")
        refuse_other_types(self, {"verbose": int | np.integer}, "an integer")
        if self.scoring is not None and (self.cv is None or self.scoring != "accuracy"):
            raise UnsupportedParameter(
                f"RidgeClassifierCV(scoring={self.scoring!r}, cv={self.cv!r}): expected None, or "
                "'accuracy' with folds."
            )
        if self.store_cv_results and self.cv is not None:
            raise UnsupportedCombination("cv!=None and store_cv_results=True are incompatible; use cv=None.")

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Squared(),
            penalty=no_penalty,
            intercept=bool(self.fit_intercept),
            labels=True,
            signs=True,
            class_weight=None if self.class_weight is None else partial(row_factors, self.class_weight),
            scheduler=self.scheduler,
            verbose=self.verbose,
        )

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        super()._set_coefficients(w, b, outcome)
        state = outcome.solution.state
        if self.cv is not None:
            self.alpha_, self.best_score_ = state.numbers["alpha"], state.numbers["score"]
            return
        self.alpha_ = float(state.arrays["alpha"][0])
        self.best_score_ = float(state.arrays["score"][0])
        if "each" in state.arrays:
            self.cv_results_ = state.arrays["each"].astype(w.dtype)
