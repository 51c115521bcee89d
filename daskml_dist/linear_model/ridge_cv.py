"""Ridge regression whose penalty is chosen by cross-validation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self, final

import numpy as np

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.fit import Outcome, Training, rule_of
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import refuse_other_types
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model._search import no_penalty, numbers_of
from daskml_dist.linear_model.least_squares import LeastSquaresModel, columns_of
from daskml_dist.losses import Squared
from daskml_dist.solvers import RidgeLeaveOneOut, RidgeSearch, Solver
from daskml_dist.types import AnyArray

_SCORES = ("r2", "neg_mean_squared_error", "neg_root_mean_squared_error")


@final
class RidgeCV(LeastSquaresModel):
    r"""Ridge regression with the best penalty of a list, in one pass (folds) or two (leaving out one row).

    .. math:: \min_{w, b} \sum_i s_i (y_i - x_i^T w - b)^2 + \alpha |w|^2

    With folds, moments are gathered fold by fold, and all fits and scores follow from them. With ``cv=None``
    each row is predicted by the model of all others, exactly: a second pass adds up residuals over one minus
    leverages, for all penalties at once. Where moments lose digits that matter, one more pass is made.

    Parameters
    ----------
    alphas : one number or several, above 0, or at least 0 with folds.
    fit_intercept : whether a constant is added; it is never penalised.
    scoring : with folds None or "r2", "neg_mean_squared_error" or "neg_root_mean_squared_error"; without
        None (mean squared error, weights count, by the number of rows), "neg_mean_squared_error" or "r2".
    cv : None to leave out one row at a time, or as ``ElasticNetCV`` has it.
    gcv_mode : scikit-learn's; only None and "auto", the way is chosen by how well it is conditioned.
    store_cv_results : keep the squared error of each row for each alpha; needs ``cv=None``.
    alpha_per_target : whether each column of y has a penalty of its own; needs ``cv=None``.
    verbose, scheduler : see ``LogisticRegression``.

    Attributes
    ----------
    alpha_ : the penalty that was chosen, or one for each column of y. best_score_ : its score.
    coef_ : (p,), or (t, p) for a y of t columns. intercept_ : number or (t,).
    cv_results_ : (n, A) or (n, t, A), squared errors by row; in memory, n numbers for each alpha.
    n_passes_, gap_, gap_kind_, history_, graph_, n_iter_ : as ``LogisticRegression`` has them.
    n_features_in_, feature_names_in_ : as ``LogisticRegression`` has them.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RidgeCV(alphas=[1e-3, 1e-2, 1e-1, 1], verbose=0).fit(X, y)
    >>> model.alpha_, round(model.score(X, y), 4), model.n_passes_
    (0.01, 0.5166, 2)
    >>> RidgeCV(alphas=[1e-3, 1e-2, 1e-1, 1], cv=5, verbose=0).fit(X, y).n_passes_
    1
    """

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: str | None = None,
        cv: Any = None,
        gcv_mode: str | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
        verbose: int = 1,
        scheduler: Any = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
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
        X, y, sample_weight : (n, p), (n,) or (n, t), and (n,); see ``LogisticRegression.fit``. Weights
            count in training and in scores; splits count alike.
        groups : (n,) which rows stay together, for ``cv=GroupKFold(...)``.
        """
        self._refuse()
        self.__dict__.pop("cv_results_", None)
        self._wide = columns_of(y) is not None and sample_dims is None and feature_dims is None
        rule = None if self.cv is None else rule_of(self.cv, labels=False)
        training = replace(self._training(), solver=self._search(), cv=rule)
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(training, X, y, sample_weight, groups=groups, asked=asked)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _search(self) -> Solver:
        scoring: Any = self.scoring
        if self.cv is not None:
            return RidgeSearch(numbers_of(self, "alphas"), scoring or "r2")
        return RidgeLeaveOneOut(
            numbers_of(self, "alphas", strict=True),
            scoring or "squared error by row",
            bool(self.alpha_per_target),
            bool(self.store_cv_results),
        )

    def _refuse(self) -> None:
        """Refuse parameters that mean nothing here, or nothing together."""
        switches = dict.fromkeys(("fit_intercept", "store_cv_results", "alpha_per_target"), bool | np.bool_)
        refuse_other_types(self, switches, "True or False")
        refuse_other_types(self, {"verbose": int | np.integer}, "an integer")
        scores = _SCORES if self.cv is not None else _SCORES[:2]
        if self.scoring is not None and self.scoring not in scores:
            known = ", ".join(repr(score) for score in scores)
            raise UnsupportedParameter(
                f"RidgeCV(scoring={self.scoring!r}, cv={self.cv!r}): expected None or one of {known}."
            )
        if self.gcv_mode not in (None, "auto"):
            raise UnsupportedParameter(
                f"RidgeCV(gcv_mode={self.gcv_mode!r}) is not supported: expected None or 'auto'. The way is "
                "chosen by how well it is conditioned."
            )
        for name in ("store_cv_results", "alpha_per_target"):
            if getattr(self, name) and self.cv is not None:
                raise UnsupportedCombination(f"cv!=None and {name}=True are incompatible; use cv=None.")
        if self.store_cv_results and self.scoring is not None:
            raise UnsupportedCombination(
                f"store_cv_results=True keeps squared errors, and scoring={self.scoring!r} was given; use "
                "scoring=None."
            )

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        super()._set_coefficients(w, b, outcome)
        if len(w) == 1:
            self.coef_ = w[0]  # as in scikit-learn, a y of one column gives what a vector gives
        state = outcome.solution.state
        if self.cv is not None:
            self.alpha_: Any = state.numbers["alpha"]
            self.best_score_: Any = state.numbers["score"]
            return
        alpha, score = state.arrays["alpha"], state.arrays["score"]
        each = self.alpha_per_target and len(w) > 1
        self.alpha_ = alpha if each else float(alpha[0])
        self.best_score_ = score if each else float(score[0])
        if "each" in state.arrays:
            errors = state.arrays["each"]
            self.cv_results_ = (errors if self._wide else errors[:, 0]).astype(w.dtype)

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Squared(),
            penalty=no_penalty,
            intercept=bool(self.fit_intercept),
            multi_output=True,
            scheduler=self.scheduler,
            verbose=self.verbose,
        )
