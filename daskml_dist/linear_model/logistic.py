"""Logistic regression."""

from __future__ import annotations

from functools import partial
from typing import Any, Self, final

import numpy as np

from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import (
    refuse_changed,
    refuse_common,
    refuse_outside,
    refuse_share,
    seed_of,
)
from daskml_dist.linear_model._classes import class_factors
from daskml_dist.linear_model._logistic import LogisticModel, penalty, symmetric
from daskml_dist.linear_model._maps import fit_maps
from daskml_dist.losses import Logistic, Softmax
from daskml_dist.solvers import Solver
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray


@final
class LogisticRegression(LogisticModel):
    r"""Logistic regression with an L2, L1 or elastic net penalty; the same optimum as scikit-learn's.

    .. math::

        \min_{w, b} \; C \sum_i s_i \log(1 + \exp(-t_i (x_i^T w + b)))
        + \tfrac{1 - \rho}{2} |w|_2^2 + \rho |w|_1, \quad t_i = \pm 1

    More than two classes have coefficients each, and the loss is minus the logarithm of the probability of
    the class of a row, where probabilities are the softmax of the margins.

    Parameters
    ----------
    C : inverse strength of the penalty; ``np.inf`` for none.
    l1_ratio : share of the L1 penalty, from 0 (L2) to 1 (lasso).
    dual, intercept_scaling, n_jobs : scikit-learn's; only their defaults are supported.
    tol : the relative optimality gap to reach, (F - min F) / max(F, F_null / 1000).
    fit_intercept : whether a constant is added; it is never penalised.
    class_weight : dict of class and factor, "balanced", or None.
    random_state : seed of the samples that the default solver starts from.
    solver : "auto", "progressive-newton", "newton", "newton-cg", "working-set", "lbfgs",
        "gradient_descent" or "model-parallel", or a ``GradientDescent`` with a rule for its steps. With
        "model-parallel" coefficients live with the column chunks of X.
    max_iter : how many passes over the data may be made.
    verbose : 0 silent; 1 a progress line in a terminal; 2 a line a pass.
    warm_start : start from the coefficients of the last fit.
    certify : prove the gap even where that costs more than two gradient passes.
    scheduler : None for the current ``distributed.Client`` (threads where there is none or X is in
        memory), "threads", a Client, the address of a scheduler, or a ``daskml_dist.Placement``.
    checkpoint : directory or fsspec URL where the state is kept after each pass, and from which a fit
        that was cut short goes on; a ``daskml_dist.Checkpoint``, which says how often; or None.

    Attributes
    ----------
    classes_ : (k,) labels.
    coef_ : (1, p), or (k, p) of more than two classes. intercept_ : (1,) or (k,). n_iter_ : (1,) passes.
    n_passes_ : passes over the data. gap_ : relative gap. gap_kind_ : how it is known.
    history_ : a dict for each pass. graph_ : the last pass as a dask graph, or None.
    decisions_ : a dict for each move of work between workers, and why (docs/scheduling.md).
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
        solver: str | Solver = "auto",
        max_iter: int = 100,
        verbose: int = 1,
        warm_start: bool = False,
        n_jobs: Any = None,
        certify: bool = False,
        scheduler: Any = None,
        checkpoint: Checkpoint | str | None = None,
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
        """Fit the model.

        Parameters
        ----------
        X : (n, p) numpy, list, pandas, dask array or dataframe, or xarray.
        y : (n,) labels of two classes or more: numbers, strings or bools.
        sample_weight : (n,) weights, one number, or None.
        offset : (n,) what is added to the margin, or None.
        sample_dims : names of the dims along which samples lie. X is then a DataArray or Dataset, the others
            are DataArrays on these dims or some of them, and ``coef_`` and predictions have labels
            (docs/labelled.md). None for rows.
        feature_dims : names of the dims of the features; None for all that y does not have.
        missing : "raise" where a labelled value is NaN, or "drop" the sample.
        fit_over : names of dims of y, each label of which has a model of its own; or the name of a
            coordinate, or a DataArray of labels, each of which has one; None for one model.

        Returns
        -------
        self. Labelled data set ``n_used_``, how many samples were used, and ``layout_``, which dims are what.

        Raises
        ------
        InvalidData
            The data cannot be used; a ValueError. NonFiniteData names the chunk and column of NaN or
            infinity; ChunkMismatch the dim and the first labels that differ.
        UnsupportedParameter
            A parameter is out of range, or means nothing here.
        UnsupportedCombination
            ``fit_over`` with a penalty, a loss or a parameter that has no solver of many models.
        ClusterGaveUp
            The cluster could not answer after repeated repairs.
        """
        refuse_common(self)
        refuse_outside(self, "C", 0.0, strict=True, infinite=True)
        refuse_share(self, "l1_ratio")
        refuse_changed(self, {"dual": False, "intercept_scaling": 1, "n_jobs": None})
        asked = Asked(sample_dims, feature_dims, missing, fit_over)
        if fit_over is not None:
            fit_maps(self, self._training(), asked, X, y, sample_weight, offset)
            return self
        self._train(self._training(), X, y, sample_weight, offset, asked=asked)
        return self

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=Logistic(),
            joint=Softmax,
            penalty=partial(penalty, self.C, self.l1_ratio),
            intercept=bool(self.fit_intercept),
            solver=self.solver,
            tol=self.tol,
            max_passes=self.max_iter,
            certify=self.certify,
            seed=seed_of(self.random_state),
            start=self._start(),
            labels=True,
            class_weight=None if self.class_weight is None else partial(class_factors, self.class_weight),
            scheduler=self.scheduler,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        assert outcome.classes is not None
        self.classes_ = outcome.classes
        self.coef_, self.intercept_ = symmetric(w, b, penalised=not np.isinf(self.C))
        self.n_iter_ = np.array([outcome.solution.state.passes], dtype=np.int32)
