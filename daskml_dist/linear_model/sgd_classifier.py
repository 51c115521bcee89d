"""Linear classification by stochastic gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self, final

import numpy as np
from scipy.special import expit
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from daskml_dist.errors import InvalidData, UnsupportedCombination
from daskml_dist.fit import Outcome, Training
from daskml_dist.kernels import Point
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import margins
from daskml_dist.linear_model._classes import LinearClassifier, class_factors
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model._sgd import StochasticModel
from daskml_dist.losses import Hinge, Logistic, Loss, ModifiedHuber, SquaredHinge
from daskml_dist.optimizers import Optimizer
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray


def _has_probabilities(model: SGDClassifier) -> bool:
    """Whether the loss is one whose margins mean probabilities; scikit-learn asks so."""
    if model.loss in ("log_loss", "modified_huber"):
        return True
    raise AttributeError(f"probability estimates are not available for loss={model.loss!r}")


@final
class SGDClassifier(StochasticModel, LinearClassifier):
    r"""A linear classifier of two classes, or one for each class against the rest, by stochastic gradients.

    .. math::

        \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \, \ell(t_i (x_i^T w + b))
        + \alpha \left( \tfrac{1 - \rho}{2} |w|_2^2 + \rho |w|_1 \right), \quad t_i = \pm 1

    Each step follows the gradient of a few rows, drawn in all partitions; after an epoch each row was used
    once. By default steps are preconditioned: a sample gives the metric, the learning rate and the start,
    and late iterates are averaged. One epoch comes to about 1e-3 of the optimum, three to 1e-4; for less use
    ``LogisticRegression`` or ``LinearSVC``. With unit weights the objective is scikit-learn's; weights count
    relative to their mean.

    Parameters
    ----------
    loss : "hinge", "log_loss", "squared_hinge" or "modified_huber".
    penalty : "l2", "l1", "elasticnet" or None.
    alpha : strength of the penalty.
    l1_ratio : rho, with "elasticnet".
    fit_intercept : whether a constant is added; it is never penalised.
    max_iter : how many epochs at most.
    tol : the descent ends when ``n_iter_no_change`` epochs in a row have not lowered the mean loss of their
        rows by this much (or raised the score of held-out rows); None for ``max_iter`` epochs.
    shuffle : whether rows come in another order each epoch.
    verbose, scheduler, checkpoint : see ``LogisticRegression``.
    random_state : seed of the sample and of the order of rows.
    learning_rate : "auto", or scikit-learn's "constant" (``eta0``), "optimal", "invscaling" (``eta0`` /
        t^``power_t``) or "adaptive", from zero and in the features' own units; t counts steps.
    eta0, power_t : see ``learning_rate``. Of several eta0 the one is chosen that does best on held-out rows:
        all of them descend in the same passes; with an ``optimizer`` they are its learning rate.
    early_stopping : whether rows are held out, and the accuracy on them says when to end.
    validation_fraction : how many, of each partition.
    n_iter_no_change : see ``tol``.
    class_weight : dict of class and factor, "balanced", or None; where there are more than two classes, that
        of a class counts where it stands against the rest.
    warm_start : start from the coefficients of the last fit.
    average : "auto" (late iterates weigh more, with ``learning_rate="auto"``; none otherwise), True, False,
        or the number of rows after which averaging begins.
    strategy : "synchronous": the gradients of all partitions are summed for each step. "model_averaging":
        each partition descends by itself, and the coefficients are averaged by rows now and then, which takes
        three rounds in the first epoch and one in each other. "parameter_server": each worker thread steps by
        its own rows at servers that hold the parameters, at its own pace.
    batch_size : rows of a step, in all partitions together; "auto" for those of a 128th of an epoch.
    local_steps : with "model_averaging", the steps of a partition between two averages; None for rounds of an
        eighth of an epoch, a quarter, the rest of it, and then an epoch each.
    control_variates : with "model_averaging", whether partitions correct their gradients by those of all
        rows, which takes one more pass a round; "auto" where a look at some rows tells that partitions are
        unlike.
    correction_rounds : Newton steps at the end, to the optimum; for losses without kinks.
    consistency : with "parameter_server", "bulk_synchronous" (the steps of "synchronous"),
        "stale_synchronous", or "asynchronous".
    staleness : with "stale_synchronous", how many steps workers may part; None for 3. 0 is bulk synchronous.
    servers : with "parameter_server", over how many servers the parameters are spread.
    optimizer : one of ``daskml_dist.optimizers`` in the place of ``learning_rate``, or None.
    eta0_cv : which rows are held out to choose among several ``eta0``: a number of stratified folds, 5 where
        None; or KFold, StratifiedKFold or TimeSeriesSplit of ``daskml_dist.model_selection`` or of
        scikit-learn.

    Attributes
    ----------
    classes_ : (k,) labels.
    coef_ : (1, p) for two classes, else (k, p). intercept_ : (1,) or (k,).
    n_iter_ : epochs. t_ : rows that were stepped by, and one.
    n_passes_ : epochs, and the pass that verifies the model. gap_ : the largest relative gap of the classes,
        found in that pass; infinite where there is no metric to tell it by. gap_kind_ : how it is known.
    eta0_, cv_results_ : with several ``eta0`` the chosen one, and the table of all of them as scikit-learn's
        ``GridSearchCV`` has it; scores are minus the mean loss of held-out rows, without class weights, and
        minus infinity where a descent diverged.
    history_ : a dict for each epoch and for the last pass. graph_ : the last round as a dask graph, or None.
    served_ : with "parameter_server", what servers have counted: pushes that were applied, duplicates that
        were not, pulls by their staleness, nodes and servers that were lost; see docs/parameter-server.md.
    n_features_in_, feature_names_in_ : as in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = SGDClassifier(loss="log_loss", verbose=0).fit(X, y)
    >>> model.score(X, y) > 0.95, model.gap_ < 1e-3
    (True, True)
    """

    _losses: ClassVar[Mapping[str, Callable[[Any], Loss]]] = {
        "hinge": lambda model: Hinge(),
        "log_loss": lambda model: Logistic(),
        "squared_hinge": lambda model: SquaredHinge(),
        "modified_huber": lambda model: ModifiedHuber(),
    }
    _labels: ClassVar[bool] = True

    def __init__(
        self,
        loss: str = "hinge",
        *,
        penalty: str | None = "l2",
        alpha: float = 1e-4,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 1,
        random_state: Any = None,
        learning_rate: str = "auto",
        eta0: Any = 0.01,
        power_t: float = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: Any = None,
        warm_start: bool = False,
        average: Any = "auto",
        strategy: str = "synchronous",
        batch_size: Any = "auto",
        local_steps: int | None = None,
        control_variates: Any = "auto",
        correction_rounds: int = 0,
        consistency: str = "stale_synchronous",
        staleness: int | None = None,
        servers: int = 1,
        optimizer: Optimizer | None = None,
        eta0_cv: Any = None,
        scheduler: Any = None,
        checkpoint: Checkpoint | str | None = None,
    ) -> None:
        self.loss, self.penalty, self.alpha, self.l1_ratio = loss, penalty, alpha, l1_ratio
        self.fit_intercept, self.max_iter, self.tol, self.shuffle = fit_intercept, max_iter, tol, shuffle
        self.verbose, self.random_state, self.learning_rate = verbose, random_state, learning_rate
        self.eta0, self.power_t, self.early_stopping = eta0, power_t, early_stopping
        self.validation_fraction, self.n_iter_no_change = validation_fraction, n_iter_no_change
        self.class_weight, self.warm_start, self.average = class_weight, warm_start, average
        self.strategy, self.batch_size, self.local_steps = strategy, batch_size, local_steps
        self.control_variates, self.correction_rounds = control_variates, correction_rounds
        self.consistency, self.staleness, self.servers = consistency, staleness, servers
        self.optimizer, self.eta0_cv = optimizer, eta0_cv
        self.scheduler, self.checkpoint = scheduler, checkpoint

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        coef_init: Any = None,
        intercept_init: Any = None,
        sample_dims: Any = None,
        feature_dims: Any = None,
        missing: Missing = "raise",
        fit_over: Any = None,
    ) -> Self:
        """Fit the model to X (n, p), labels y (n,), and weights (n,); see ``LogisticRegression.fit``.

        ``coef_init``, ``intercept_init`` : (1, p) and (1,), or (k, p) and (k,), where to start; or None.
        """
        self._refuse()
        start = self._given_start(coef_init, intercept_init)
        self.__dict__.pop("_progress", None)
        training = self._with_classes(self._stochastic_training(start, self._solver()))
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(training, X, y, sample_weight, asked=asked)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One epoch over these rows, from where the last call ended.

        Parameters
        ----------
        X, y, sample_weight : see ``fit``.
        classes : all labels that will ever come; in the first call only.
        """
        self._refuse()
        if self.class_weight == "balanced":
            raise UnsupportedCombination(
                "class_weight='balanced' is not supported for partial_fit, which does not see all labels. "
                "Compute the weights from all of y, and give them as a dict."
            )
        self._settle_classes(classes)
        start = None if "_progress" in vars(self) or "coef_" not in vars(self) else self._point()
        training = self._with_classes(self._stochastic_training(start, self._single_epoch()))
        self._step_on(training, X, y, sample_weight)
        return self

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """(n, k) probabilities in the order of ``classes_``, for "log_loss" and "modified_huber".

        Of several classes, those of each against the rest, divided by their sum.
        """
        check_is_fitted(self)
        function = partial(_probabilities, self._point(), self.loss, self._result_dtype(X))
        return self._apply(X, function, self.classes_.tolist(), self._result_dtype(X))

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Any) -> Any:
        """(n, k) logarithms of the probabilities."""
        check_is_fitted(self)
        function = partial(_log_probabilities, self._point(), self.loss, self._result_dtype(X))
        return self._apply(X, function, self.classes_.tolist(), self._result_dtype(X))

    def _with_classes(self, training: Training) -> Training:
        factors = None if self.class_weight is None else partial(class_factors, self.class_weight)
        return replace(training, class_weight=factors)

    def _settle_classes(self, classes: Any) -> None:
        """The classes of the first call of ``partial_fit``, which later ones may only repeat."""
        known = vars(self).get("classes_")
        if classes is None:
            if known is None:
                raise InvalidData("classes must be passed on the first call to partial_fit.")
            return
        given = np.unique(np.asarray(classes))
        if known is not None and not np.array_equal(known, given):
            raise InvalidData(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}"
            )
        if len(given) < 2:
            raise InvalidData(f"classes={classes!r}: partial_fit needs at least 2 classes.")
        self.classes_ = given

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        assert outcome.classes is not None
        self.classes_ = outcome.classes
        self.coef_ = w
        self.intercept_ = b if self.fit_intercept else np.zeros_like(b)
        self._note(outcome)


def _probabilities(point: Point, loss: str, dtype: Any, x: AnyArray) -> AnyArray:
    z = margins(point, x)
    chance = expit(z) if loss == "log_loss" else ModifiedHuber().mean(z)
    if z.ndim == 1:
        return np.column_stack([1.0 - chance, chance]).astype(dtype)
    total = chance.sum(axis=1, keepdims=True)
    shares = np.divide(chance, total, out=np.full_like(chance, 1.0 / z.shape[1]), where=total > 0.0)
    return np.asarray(shares.astype(dtype))


def _log_probabilities(point: Point, loss: str, dtype: Any, x: AnyArray) -> AnyArray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(_probabilities(point, loss, dtype, x)))
