"""Logistic regression whose penalty is chosen by cross-validation."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any, Self, final

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from daskml_dist import fit as spine
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.fit import Crossed, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import (
    check_features,
    dtype_of,
    refuse_changed,
    refuse_common,
    seed_of,
)
from daskml_dist.linear_model._classes import class_factors
from daskml_dist.linear_model._labelled import forget, given, label, one_model
from daskml_dist.linear_model._logistic import LogisticModel, penalty, symmetric
from daskml_dist.linear_model._scoring import scorer
from daskml_dist.linear_model._watched import torn_down, watched
from daskml_dist.losses import Logistic, Softmax
from daskml_dist.solvers import Judged, Solver
from daskml_dist.types import AnyArray, FloatArray


@final
class LogisticRegressionCV(LogisticModel):
    r"""Logistic regression with the penalty that does best on held-out rows; scikit-learn's.

    All candidates are trained on all splits and on all rows at once: a pass evaluates the coefficients
    of all of them, and judges each on the rows that its split holds out. So the search takes the two to
    four passes that one fit takes.

    Parameters
    ----------
    Cs : how many values from 1e-4 to 1e4, or the values: inverse strengths of the penalty.
    l1_ratios : shares of the L1 penalty to try, each from 0 (L2) to 1 (lasso); None for L2 alone.
    fit_intercept : whether a constant is added; it is never penalised.
    cv : number of stratified folds, 5 where None; or KFold, StratifiedKFold, GroupKFold or
        TimeSeriesSplit of ``daskml_dist.model_selection`` or of scikit-learn.
    dual, intercept_scaling, n_jobs : scikit-learn's; only their defaults are supported.
    scoring : "accuracy" (None), "balanced_accuracy", "neg_log_loss", "neg_brier_score", "f1", "precision"
        or "recall"; the last three also with "_macro", "_micro" or "_weighted".
    solver : "auto", "progressive-newton", "newton", "lbfgs" or "gradient_descent", or a
        ``GradientDescent``.
    tol : the relative optimality gap that each model has to reach, see ``LogisticRegression``.
    max_iter : how many passes over the data may be made.
    class_weight : dict of class and factor, "balanced" over all rows, or None. Scores do not use it.
    verbose : 0 silent; 1 a progress line in a terminal; 2 a line a pass.
    refit : whether the model has the coefficients of the best candidate on all rows; else the mean of
        those of the best candidate of each split.
    random_state : seed of the sample that the default solver starts from.
    use_legacy_attributes : as in scikit-learn: True for attributes by class, False for plain arrays.
    scheduler : see ``LogisticRegression``.

    Attributes
    ----------
    classes_ : (k,) labels. coef_ : (1, p), or (k, p) of more than two classes. intercept_ : (1,) or (k,).
    Cs_ : (c,) values of C. l1_ratios_ : (r,) shares.
    C_, l1_ratio_ : of the chosen candidate, (1,) or (k,); floats where ``use_legacy_attributes`` is False.
    scores_ : dict of class (of two the second) and (folds, c) or, with ``l1_ratios``, (folds, c, r) held-out
        scores, the same for all classes; (folds, r, c) where ``use_legacy_attributes`` is False.
    coefs_paths_ : dict of class and (folds, c, p + 1) or (folds, c, r, p + 1) coefficients, the intercept
        last (p without one); (folds, r, c, 1 or k, p + 1) where ``use_legacy_attributes`` is False.
    n_iter_ : (1, folds, c) or (1, folds, c, r) passes; (folds, r, c).
    n_passes_ : passes over the data in all. history_ : a dict for each pass. graph_ : the last pass.
    gap_, gap_kind_ : of the model; worst_gap_ : the largest of all candidates and splits.
    n_features_in_, feature_names_in_ : as in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegressionCV(Cs=[0.01, 1.0, 100.0], verbose=0).fit(X, y)
    >>> model.scores_[1].shape, bool(model.worst_gap_ < 1e-6)
    ((5, 3), True)
    """

    C_: Any
    l1_ratio_: Any
    scores_: Any
    coefs_paths_: Any

    def __init__(
        self,
        *,
        Cs: Any = 10,
        l1_ratios: Any = None,
        fit_intercept: bool = True,
        cv: Any = None,
        dual: bool = False,
        scoring: Any = None,
        solver: str | Solver = "auto",
        tol: float = 1e-6,
        max_iter: int = 100,
        class_weight: Any = None,
        n_jobs: Any = None,
        verbose: int = 1,
        refit: bool = True,
        intercept_scaling: float = 1,
        random_state: Any = None,
        use_legacy_attributes: bool = True,
        scheduler: Any = None,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes
        self.scheduler = scheduler

    @torn_down
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
        """Choose the penalty, and fit the model.

        Parameters
        ----------
        X : (n, p) numpy, list, pandas, dask array or dataframe, or xarray.
        y : (n,) labels of two classes or more: numbers, strings or bools.
        sample_weight : (n,) weights, one number, or None; they count in training and in scores.
        groups : (n,) groups for ``cv=GroupKFold(...)``, or None.

        Returns
        -------
        self.

        Raises
        ------
        InvalidData, UnsupportedParameter, ClusterGaveUp
            See ``LogisticRegression.fit``; also where a split trains on rows of one class only.
        """
        refuse_common(self)
        refuse_changed(self, {"dual": False, "intercept_scaling": 1, "n_jobs": None})
        Cs, ratios = self._candidates()
        score = scorer(self.scoring)
        rule = spine.rule_of(self.cv, labels=True)
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        data = given(asked, self._training(), X, y, sample_weight, groups=groups, counted=True)
        check_features(self, data.X, reset=True, names=data.names)
        penalties = [partial(penalty, C, ratio) for ratio in ratios for C in Cs.tolist()]
        training = self._training()
        with watched(self, training, data.X, data.y, data.sample_weight, None):
            crossed = spine.cross(training, penalties, rule, data.X, data.y, data.sample_weight, data.groups)
            self.Cs_, self.l1_ratios_ = Cs, ratios
            self._keep_grid(crossed, score, data.X)
        forget(self)
        if data.naming is not None:
            label(self, data.naming, used=int(data.X.shape[0]), identity=False)
        self._warn(crossed)
        return self

    def _candidates(self) -> tuple[FloatArray, FloatArray]:
        """(c,) values of C and (r,) shares of the L1 penalty."""
        Cs = np.logspace(-4, 4, self.Cs) if isinstance(self.Cs, int | np.integer) else self.Cs
        return (
            _numbers("Cs", Cs, lambda C: C > 0.0, "a number of values, or values above 0"),
            _numbers(
                "l1_ratios",
                [0.0] if self.l1_ratios is None else self.l1_ratios,
                lambda ratio: (ratio >= 0.0) & (ratio <= 1.0),
                "None, or values from 0 to 1",
            ),
        )

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Logistic(),
            joint=Softmax,
            penalty=partial(penalty, 1.0, 0.0),
            intercept=bool(self.fit_intercept),
            solver=self.solver,
            tol=self.tol,
            max_passes=self.max_iter,
            seed=seed_of(self.random_state),
            labels=True,
            class_weight=None if self.class_weight is None else partial(class_factors, self.class_weight),
            scheduler=self.scheduler,
            verbose=self.verbose,
        )

    def _keep_grid(self, crossed: Crossed, score: Any, X: Any) -> None:
        """Set the fitted attributes."""
        self.classes_ = crossed.classes
        shape = (len(self.l1_ratios_), len(self.Cs_))
        splits = [row[:-1] for row in crossed.judged]

        def arranged(rows: list[list[Any]]) -> AnyArray:
            """(folds, r, c, ...) of values by candidate and split."""
            values = np.array(rows)
            return np.moveaxis(values.reshape(*shape, *values.shape[1:]), 2, 0)

        scores = arranged([[score(one.verdict, self.classes_) for one in row] for row in splits])
        paths = arranged([[self._theta(one) for one in row] for row in splits])
        passes = arranged([[one.solution.state.passes for one in row] for row in splits])
        # by C, then by share: scikit-learn's first among equals
        wholes = [row[-1] for row in crossed.judged]
        if self.refit:
            c, r = np.unravel_index(np.argmax(scores.sum(axis=0).T), shape[::-1])
            chosen = [wholes[r * shape[1] + c]]
            C, ratio, theta = self.Cs_[c], self.l1_ratios_[r], self._theta(chosen[0])
        else:
            flat = scores.swapaxes(1, 2).reshape(len(scores), -1).argmax(axis=1)
            c, r = np.unravel_index(flat, shape[::-1])
            fold = np.arange(len(scores))
            chosen = [splits[place][k] for k, place in enumerate(r * shape[1] + c)]
            C, ratio = self.Cs_[c].mean(), self.l1_ratios_[r].mean()
            theta = paths[fold, r, c].mean(axis=0)
        dtype = np.float32 if dtype_of(X) == np.float32 else np.float64
        p = self.n_features_in_
        self.coef_ = theta[:, :p].astype(dtype)
        self.intercept_ = (theta[:, p] if self.fit_intercept else np.zeros(len(theta))).astype(dtype)
        self._set_gaps(max(_gap(one) for one in chosen), crossed)
        self.n_passes_, self.history_, self.graph_ = crossed.passes, crossed.history, crossed.graph
        if self.use_legacy_attributes:
            self._set_by_class(scores, paths, passes, float(C), float(ratio))
        else:
            self.C_, self.l1_ratio_ = float(C), float(ratio)
            self.scores_, self.coefs_paths_, self.n_iter_ = scores, paths, passes

    def _set_gaps(self, own: tuple[float, Any], crossed: Crossed) -> None:
        self.gap_, self.gap_kind_ = own
        self.worst_gap_ = max(_gap(one)[0] for row in crossed.judged for one in row)

    def _set_by_class(
        self, scores: AnyArray, paths: AnyArray, passes: AnyArray, C: float, ratio: float
    ) -> None:
        """The attributes in the form that scikit-learn had first."""
        scores, paths, passes = (values.swapaxes(1, 2) for values in (scores, paths, passes))
        if self.l1_ratios is None:
            scores, paths, passes = scores[:, :, 0], paths[:, :, 0], passes[:, :, 0]
        labels = self.classes_ if len(self.classes_) > 2 else self.classes_[1:]
        self.C_, self.l1_ratio_ = np.full(len(labels), C), np.full(len(labels), ratio)
        self.scores_ = dict.fromkeys(labels, scores)
        self.coefs_paths_ = {label: paths[..., k, :] for k, label in enumerate(labels)}
        self.n_iter_ = passes[None]

    def _theta(self, one: Judged) -> FloatArray:
        """(1, p) or (k, p) coefficients, with the intercepts as last column where there are any."""
        point = one.solution.state.point
        assert point is not None
        w, b = symmetric(point.w, point.raw_intercept, penalised=True)
        return np.column_stack([w, b]) if self.fit_intercept else w

    def _warn(self, crossed: Crossed) -> None:
        """Say which models did not reach the tolerance, and what they note."""
        solutions = [one.solution for row in crossed.judged for one in row]
        for note in dict.fromkeys(note for solution in solutions for note in solution.notes):
            warnings.warn(note, ConvergenceWarning, stacklevel=3)
        late = sum(not solution.converged for solution in solutions)
        if late:
            warnings.warn(
                f"{late} of {len(solutions)} models did not reach tol={self.tol:g} within "
                f"max_iter={self.max_iter} passes; the largest relative gap is {self.worst_gap_:.3g}. Raise "
                "max_iter, or scale the data.",
                ConvergenceWarning,
                stacklevel=3,
            )


def _gap(one: Judged) -> tuple[float, Any]:
    """The relative gap, and how it is known."""
    progress = one.solution.state.progress
    return (float("inf"), "estimate") if progress is None else (float(progress.gap), progress.gap_kind)


def _numbers(name: str, given: Any, allowed: Any, expected: str) -> FloatArray:
    """Some numbers, all of them allowed."""
    try:
        values = np.array(given, dtype=np.float64)
        fine = values.ndim == 1 and len(values) > 0 and bool(np.all(allowed(values)))
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise UnsupportedParameter(f"LogisticRegressionCV({name}={given!r}): expected {expected}.")
    return values
