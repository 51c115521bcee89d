"""Linear support vector classification."""

from __future__ import annotations

from functools import partial
from typing import Any, Self, final

from daskml_dist import fit as spine
from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import (
    refuse_changed,
    refuse_common,
    refuse_outside,
    seed_of,
)
from daskml_dist.linear_model._classes import LinearClassifier, class_factors
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.losses import Hinge, Loss, SquaredHinge
from daskml_dist.penalties import L2, ElasticNet, Penalty
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray

LOSSES: dict[str, type[Loss]] = {"squared_hinge": SquaredHinge, "hinge": Hinge}


@final
class LinearSVC(LinearClassifier):
    r"""A linear support vector machine of two classes, or one for each class against the rest.

    .. math::

        \min_{w, b} \; \tfrac12 |w|_2^2 + \tfrac12 (b / c)^2
        + C \sum_i s_i \max(0, 1 - t_i (x_i^T w + b))^2, \quad t_i = \pm 1

    or with :math:`|w|_1 + |b / c|` for ``penalty="l1"``; c is ``intercept_scaling``. The intercept is
    penalised like the coefficient of one more feature whose value is c, as in scikit-learn (liblinear).
    Without a square, ``loss="hinge"``, the solver smooths the loss less and less, and the gap is that between
    the primal and the dual problem.

    Parameters
    ----------
    penalty : "l2" or "l1".
    loss : "squared_hinge" or "hinge", whose losses are not squared; that only with the L2 penalty.
    dual, multi_class : scikit-learn's; only their defaults are supported.
    tol : the relative optimality gap to reach, (F - min F) / max(F, F_null / 1000).
    C : inverse strength of the penalty.
    fit_intercept : whether a constant is added.
    intercept_scaling : the larger, the less the intercept is penalised.
    class_weight : dict of class and factor, "balanced", or None. Where there are more than two classes, that
        of a class counts where it stands against the rest, whose rows count once, as in liblinear.
    verbose, random_state, scheduler, checkpoint : see ``LogisticRegression``.
    max_iter : how many passes over the data may be made for a class.

    Attributes
    ----------
    classes_ : (k,) labels.
    coef_ : (1, p) for two classes, else (k, p). intercept_ : (1,) or (k,), or 0.0 without an intercept.
    n_passes_ : passes over the data, all classes together; one pass answers for many of them, but where there
        are checkpoints. n_iter_ : the same.
    gap_ : the largest relative gap of the classes. gap_kind_ : how it is known.
    history_ : a dict for each pass. graph_ : the last pass as a dask graph, or None.
    n_features_in_, feature_names_in_ : as in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LinearSVC(verbose=0).fit(X, y)
    >>> model.coef_.shape, round(model.score(X, y), 2), model.gap_ < 1e-6
    ((3, 4), 0.97, True)
    """

    def __init__(
        self,
        penalty: str = "l2",
        loss: str = "squared_hinge",
        *,
        dual: Any = "auto",
        tol: float = 1e-6,
        C: float = 1.0,
        multi_class: str = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        class_weight: Any = None,
        verbose: int = 1,
        random_state: Any = None,
        max_iter: int = 100,
        scheduler: Any = None,
        checkpoint: Checkpoint | str | None = None,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
        self.scheduler = scheduler
        self.checkpoint = checkpoint

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
        refuse_outside(self, "C", 0.0, strict=True)
        refuse_outside(self, "intercept_scaling", 0.0, strict=True)
        refuse_changed(self, {"dual": "auto", "multi_class": "ovr"})
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(self._training(), X, y, sample_weight, asked=asked)
        return self

    def _loss(self) -> Loss:
        """The loss; refuses what is none, or has no model with the penalty."""
        for name, known in (("penalty", ("l2", "l1")), ("loss", tuple(LOSSES))):
            if getattr(self, name) not in known:
                raise UnsupportedParameter(
                    f"LinearSVC({name}={getattr(self, name)!r}): expected one of "
                    f"{', '.join(map(repr, known))}."
                )
        loss = LOSSES[self.loss]()
        if self.penalty == "l1" and not loss.smooth:
            raise UnsupportedCombination(
                "LinearSVC(penalty='l1', loss='hinge') is not supported; use loss='squared_hinge'."
            )
        return loss

    def _training(self) -> Training:
        return Training(
            name=type(self).__name__,
            loss=self._loss(),
            penalty=partial(svm_penalty, self.C, self.penalty),
            intercept=bool(self.fit_intercept),
            intercept_scaling=float(self.intercept_scaling),
            tol=self.tol,
            max_passes=self.max_iter,
            seed=seed_of(self.random_state),
            labels=True,
            class_weight=None if self.class_weight is None else partial(class_factors, self.class_weight),
            scheduler=self.scheduler,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _run(
        self, training: Training, X: Any, y: Any, sample_weight: Any, offset: Any, groups: Any
    ) -> Outcome:
        return spine.fit_classes(training, X, y, sample_weight)

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        assert outcome.classes is not None
        self.classes_ = outcome.classes
        self.coef_ = w
        self.intercept_ = b if self.fit_intercept else 0.0
        self.n_iter_ = outcome.solution.state.passes


def svm_penalty(C: float, penalty: str, weight_sum: float) -> Penalty:
    """|w|^2 / 2 or |w|_1 on C times the sum of the losses is 1 / (C sum of weights) of it on their mean."""
    alpha = 1.0 / (C * weight_sum)
    return L2(alpha) if penalty == "l2" else ElasticNet(alpha)
