"""Linear regression by stochastic gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self, final

import numpy as np

from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import refuse_outside
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.linear_model._regression import LinearRegressor
from daskml_dist.linear_model._sgd import StochasticModel
from daskml_dist.losses import EpsilonInsensitive, FixedHuber, Loss, Squared, SquaredEpsilonInsensitive
from daskml_dist.optimizers import Optimizer
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray


@final
class SGDRegressor(StochasticModel, LinearRegressor):
    r"""Linear regression by stochastic gradients.

    .. math::

        \min_{w, b} \; \frac{1}{\sum_i s_i} \sum_i s_i \, \ell(y_i - x_i^T w - b)
        + \alpha \left( \tfrac{1 - \rho}{2} |w|_2^2 + \rho |w|_1 \right)

    See ``SGDClassifier`` for how steps are made and what they come to.

    Parameters
    ----------
    loss : "squared_error" (half the square), "huber", "epsilon_insensitive" or "squared_epsilon_insensitive".
    epsilon : from which residual on "huber" is linear, and up to which the insensitive losses are zero.
    penalty, alpha, l1_ratio, fit_intercept, max_iter, tol, shuffle, verbose : see ``SGDClassifier``.
    random_state, learning_rate, eta0, power_t, n_iter_no_change, warm_start : see ``SGDClassifier``.
    average, strategy, batch_size, local_steps, control_variates : see ``SGDClassifier``.
    correction_rounds, optimizer, scheduler, checkpoint : see ``SGDClassifier``.
    consistency, staleness, servers : see ``SGDClassifier``.
    eta0_cv : the same; a number of folds means ``KFold``.
    early_stopping : whether rows are held out, and r2 on them says when to end.
    validation_fraction : how many, of each partition.

    Attributes
    ----------
    coef_ : (p,). intercept_ : (1,).
    n_iter_, t_, n_passes_, gap_, gap_kind_, history_, graph_, served_ : as ``SGDClassifier`` has them.
    eta0_, cv_results_ : the same, where there are several ``eta0``.
    n_features_in_, feature_names_in_ : as in scikit-learn.

    Examples
    --------
    >>> model = SGDRegressor(alpha=0.0, verbose=0)
    >>> model.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]).coef_.round(4)
    array([2.])
    """

    _losses: ClassVar[Mapping[str, Callable[[Any], Loss]]] = {
        "squared_error": lambda model: Squared(),
        "huber": lambda model: FixedHuber(float(model.epsilon)),
        "epsilon_insensitive": lambda model: EpsilonInsensitive(float(model.epsilon)),
        "squared_epsilon_insensitive": lambda model: SquaredEpsilonInsensitive(float(model.epsilon)),
    }
    _labels: ClassVar[bool] = False

    def __init__(
        self,
        loss: str = "squared_error",
        *,
        penalty: str | None = "l2",
        alpha: float = 1e-4,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 1,
        epsilon: float = 0.1,
        random_state: Any = None,
        learning_rate: str = "auto",
        eta0: Any = 0.01,
        power_t: float = 0.25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
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
        self.epsilon, self.warm_start, self.average = epsilon, warm_start, average
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
        """Fit the model to X (n, p), y (n,), and weights (n,); see ``LogisticRegression.fit``.

        ``coef_init``, ``intercept_init`` : (p,) and (1,), where to start; or None.
        """
        self._refuse()
        refuse_outside(self, "epsilon", 0.0)
        start = self._given_start(coef_init, intercept_init)
        self.__dict__.pop("_progress", None)
        training = self._stochastic_training(start, self._solver())
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(training, X, y, sample_weight, asked=asked)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One epoch over these rows, from where the last call ended."""
        self._refuse()
        refuse_outside(self, "epsilon", 0.0)
        start = None if "_progress" in vars(self) or "coef_" not in vars(self) else self._point()
        self._step_on(self._stochastic_training(start, self._single_epoch()), X, y, sample_weight)
        return self

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """r2."""
        return self._score(replace(self._training(), loss=Squared()), X, y, sample_weight)

    def _training(self) -> Training:
        return self._stochastic_training(None, self._solver())

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        self.coef_ = w[0]
        self.intercept_ = b if self.fit_intercept else np.zeros_like(b)
        self._note(outcome)
