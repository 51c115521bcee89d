"""What the models have in common that are trained by stochastic gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from daskml_dist import fit as spine
from daskml_dist.errors import InvalidData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.fit import Outcome, Training
from daskml_dist.kernels import Point
from daskml_dist.linear_model._base import (
    LinearModel,
    check_features,
    refuse_other_checkpoint,
    refuse_other_types,
    refuse_outside,
    refuse_share,
    ridge,
    seed_of,
)
from daskml_dist.linear_model._rates import candidates_of, is_search, results_of, rule_of_folds, with_rate
from daskml_dist.linear_model._served import served_counts, staleness_of, warn_of_loss
from daskml_dist.losses import Loss
from daskml_dist.optimizers import SGD, Averaging, Optimizer
from daskml_dist.optimizers.schedules import Adaptive, Constant, InverseScaling, Optimal, Schedule
from daskml_dist.penalties import ElasticNet, Penalty, Unpenalised
from daskml_dist.solvers import STRATEGIES, RateSearch, State, StochasticGradient
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray

_PENALTIES = ("l2", "l1", "elasticnet", None)
_SAMPLE_TOL = 1e-9  # to which data are solved that are in the sample as a whole
_RATES = ("auto", "constant", "optimal", "invscaling", "adaptive")


class StochasticModel(LinearModel):
    """A linear model that is trained by the gradients of a few rows at a time."""

    loss: str
    penalty: str | None
    alpha: float
    l1_ratio: float
    max_iter: int
    tol: float | None
    shuffle: bool
    random_state: Any
    learning_rate: str
    eta0: Any
    power_t: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    average: Any
    strategy: str
    batch_size: Any
    local_steps: int | None
    control_variates: Any
    correction_rounds: int
    served_: dict[str, Any]
    consistency: str
    staleness: int | None
    servers: int
    optimizer: Optimizer | None
    verbose: int
    scheduler: Any
    checkpoint: Checkpoint | str | None
    eta0_cv: Any
    _losses: ClassVar[Mapping[str, Callable[[Any], Loss]]]
    _labels: ClassVar[bool]

    # -- parameters -------------------------------------------------------------------------------

    def _refuse(self) -> None:
        """Check all parameters."""
        for name, low in (("alpha", 0.0), ("power_t", 0.0), ("max_iter", 1)):
            refuse_outside(self, name, low)
        self._refuse_choice()
        refuse_outside(self, "n_iter_no_change", 1)
        refuse_share(self, "l1_ratio")
        if self.tol is not None:
            refuse_outside(self, "tol", 0.0)
        switches = ("fit_intercept", "warm_start", "shuffle", "early_stopping")
        refuse_other_types(self, dict.fromkeys(switches, bool | np.bool_), "True or False")
        counts = dict.fromkeys(("max_iter", "n_iter_no_change", "verbose"), int | np.integer)
        refuse_other_types(self, counts, "an integer")
        refuse_other_types(self, {"optimizer": Optimizer}, "one of daskml_dist.optimizers, or None")
        refuse_other_checkpoint(self)
        self._refuse_unknown("penalty", _PENALTIES)
        self._refuse_unknown("learning_rate", _RATES)
        self._refuse_unknown("strategy", tuple(STRATEGIES))
        self._refuse_unknown("loss", tuple(self._losses))
        self._refuse_rounds()
        staleness_of(self)
        if not 0.0 < self.validation_fraction < 1.0:
            raise UnsupportedParameter(
                f"{type(self).__name__}(validation_fraction={self.validation_fraction!r}): expected a number "
                "between 0 and 1."
            )

    def _refuse_choice(self) -> None:
        """Check the learning rate, or what it is chosen from."""
        if is_search(self):
            candidates_of(self)
            return
        refuse_outside(self, "eta0", 0.0, strict=True)
        if self.eta0_cv is not None:
            raise UnsupportedCombination(
                f"{type(self).__name__}(eta0_cv={self.eta0_cv!r}, eta0={self.eta0!r}): there is nothing to "
                "choose. Give several learning rates, as eta0=[0.01, 0.1, 1.0], or leave eta0_cv=None."
            )

    def _refuse_rounds(self) -> None:
        """Check what says how nodes work together, and how it ends."""
        name = type(self).__name__
        averaging = self.strategy == "model_averaging"
        refuse_other_types(self, {"local_steps": int | np.integer}, "a number of steps, or None")
        refuse_other_types(self, {"correction_rounds": int | np.integer}, "a number of rounds")
        refuse_outside(self, "correction_rounds", 0.0)
        self._refuse_unknown("control_variates", ("auto", True, False))
        if self.local_steps is not None:
            refuse_outside(self, "local_steps", 1)
        if not averaging and (self.local_steps is not None or self.control_variates != "auto"):
            raise UnsupportedCombination(
                f"{name}(strategy={self.strategy!r}) makes no local steps. Leave local_steps=None and "
                "control_variates='auto', or use strategy='model_averaging'."
            )
        if self.correction_rounds and not self._loss().smooth:
            raise UnsupportedCombination(
                f"{name}(loss={self.loss!r}, correction_rounds={self.correction_rounds!r}): Newton's method "
                "needs a loss without kinks. Use correction_rounds=0, or the square of the loss."
            )

    def _refuse_unknown(self, name: str, known: tuple[Any, ...]) -> None:
        given = getattr(self, name)
        if given not in known:
            raise UnsupportedParameter(
                f"{type(self).__name__}({name}={given!r}): expected one of {', '.join(map(repr, known))}."
            )

    def _loss(self) -> Loss:
        return self._losses[self.loss](self)

    def _rule(self, eta0: float) -> Optimizer | None:
        """How steps are made; None where the sample says how long they are."""
        if self.optimizer is None:
            return None if self.learning_rate == "auto" else SGD(self._schedule(eta0))
        if self.learning_rate != "auto":
            raise UnsupportedCombination(
                f"{type(self).__name__}(optimizer={self.optimizer!r}, learning_rate={self.learning_rate!r}): "
                "the optimizer has a learning rate. Leave learning_rate='auto', or give it a schedule."
            )
        if not isinstance(self.optimizer, SGD) and not sgd_penalty(self, 1.0).smooth:
            raise UnsupportedCombination(
                f"{type(self).__name__}(optimizer={self.optimizer!r}) needs a smooth penalty; given was "
                f"penalty={self.penalty!r}. Use penalty='l2', or learning_rate='auto'."
            )
        return with_rate(self.optimizer, eta0) if is_search(self) else self.optimizer

    def _schedule(self, eta0: float) -> Schedule:
        """scikit-learn's learning rates, of a step."""
        if self.learning_rate == "invscaling":
            return InverseScaling(eta0, float(self.power_t))
        if self.learning_rate == "adaptive" and self.tol is not None:
            return Adaptive(eta0, float(self.tol), int(self.n_iter_no_change))
        if self.learning_rate != "optimal":
            return Constant(eta0)
        if self.alpha == 0.0:
            raise UnsupportedCombination(
                f"{type(self).__name__}(learning_rate='optimal', alpha=0): alpha must be > 0, since "
                "learning_rate='optimal' divides by it. Use learning_rate='auto'."
            )
        typical = float(self.alpha**-0.25)  # a margin of about this size is expected
        slope = float(self._loss().value_slope(np.ones(1), np.array([-typical]))[1][0])
        first = typical / max(1.0, slope)
        return Optimal(float(self.alpha), 1.0 / (first * float(self.alpha)))

    def _averaged(self) -> Literal["auto"] | int | None:
        """From how many rows on iterates are averaged."""
        given = self.average
        if isinstance(given, str) and given == "auto":
            return "auto"
        if isinstance(given, bool | np.bool_):
            return 1 if given else None
        if isinstance(given, int | np.integer) and given >= 0:
            return int(given) or None
        raise UnsupportedParameter(
            f"{type(self).__name__}(average={given!r}): expected 'auto', True, False, or a number of rows."
        )

    def _rows_a_step(self) -> int | None:
        given = self.batch_size
        if isinstance(given, str) and given == "auto":
            return None
        if isinstance(given, int | np.integer) and not isinstance(given, bool) and given >= 1:
            return int(given)
        raise UnsupportedParameter(
            f"{type(self).__name__}(batch_size={given!r}): expected 'auto', or a number of rows >= 1."
        )

    def _solver(self) -> StochasticGradient | RateSearch:
        """The solver that these parameters stand for."""
        if not is_search(self):
            return self._descent(float(self.eta0))
        rates = candidates_of(self)
        names = tuple(f"eta0={rate:g}" for rate in rates)
        return RateSearch(tuple(self._descent(rate) for rate in rates), names)

    def _single_epoch(self) -> StochasticGradient:
        """The solver of ``partial_fit``."""
        if is_search(self):
            raise UnsupportedCombination(
                f"{type(self).__name__}(eta0={self.eta0!r}): partial_fit sees a part of the rows, and takes "
                "one learning rate. Use fit, or one eta0."
            )
        return self._descent(float(self.eta0), once=True)

    def _descent(self, eta0: float, *, once: bool = False) -> StochasticGradient:
        """The descent with this learning rate, where it is not the sample that tells it."""
        rule = self._rule(eta0)
        if (
            self.optimizer is not None
            and isinstance(rule, Averaging)
            and self._averaged() not in ("auto", None)
        ):
            raise UnsupportedCombination(
                f"{type(self).__name__}(optimizer={rule!r}, average={self.average!r}): the optimizer "
                "averages already. Use one of them."
            )
        return StochasticGradient(
            strategy=self.strategy,
            epochs=int(self.max_iter),
            tol=None if self.tol is None or once else float(self.tol),
            patience=int(self.n_iter_no_change),
            rows_a_step=self._rows_a_step(),
            shuffle=bool(self.shuffle),
            rule=rule,
            average=self._averaged(),
            held=float(self.validation_fraction) if self.early_stopping and not once else 0.0,
            labels=self._labels,
            once=once,
            local_steps=None if self.local_steps is None else int(self.local_steps),
            control_variates=self.control_variates,
            corrections=0 if once else int(self.correction_rounds),
            staleness=staleness_of(self),
            servers=int(self.servers),
        )

    def _stochastic_training(self, start: Point | None, solver: StochasticGradient | RateSearch) -> Training:
        return Training(
            name=type(self).__name__,
            loss=self._loss(),
            penalty=partial(sgd_penalty, self),
            intercept=bool(self.fit_intercept),
            solver=solver,
            tol=_SAMPLE_TOL,
            max_passes=3 * self.max_iter + 10,
            seed=seed_of(self.random_state),
            start=start,
            labels=self._labels,
            cv=rule_of_folds(self, labels=self._labels) if isinstance(solver, RateSearch) else None,
            scheduler=self.scheduler,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    # -- fitting ----------------------------------------------------------------------------------

    def _run(
        self, training: Training, X: Any, y: Any, sample_weight: Any, offset: Any, groups: Any
    ) -> Outcome:
        state, classes = self._going_on(training)
        return spine.fit_stochastic(training, X, y, sample_weight, classes=classes, state=state)

    def _going_on(self, training: Training) -> tuple[State | None, AnyArray | None]:
        """Where ``partial_fit`` goes on, and the classes that it knows."""
        if not isinstance(training.solver, StochasticGradient) or not training.solver.once:
            return None, None
        kept = vars(self).get("_progress")
        return None if kept is None else remembered(kept, bool(self.fit_intercept)), vars(self).get(
            "classes_"
        )

    def _step_on(self, training: Training, X: Any, y: Any, sample_weight: Any) -> None:
        """One epoch, and what the next one needs to go on from it."""
        if self.checkpoint is not None:
            raise UnsupportedCombination(
                f"{type(self).__name__}.partial_fit goes on from the model itself and keeps no checkpoints. "
                "Use checkpoint=None, and daskml_dist.save between the calls."
            )
        check_features(self, X, reset="coef_" not in vars(self))
        outcome = self._train(training, X, y, sample_weight)
        self._progress = memory(outcome.solution.state)

    def _note(self, outcome: Outcome) -> None:
        """Set what models that are trained by epochs have."""
        state = outcome.solution.state
        numbers = state.numbers
        for name in ("eta0_", "cv_results_"):
            self.__dict__.pop(name, None)
        if is_search(self) and (told := RateSearch.told(state)) is not None:
            self.__dict__.update(results_of(candidates_of(self), *told))
        self.n_iter_ = int(numbers.get("epochs", 0.0))
        self.t_ = 1.0 + round(numbers.get("seen", 0.0))
        self.__dict__.pop("served_", None)
        if self.strategy == "parameter_server":
            self.served_ = served_counts(numbers)
            warn_of_loss(self.served_)

    def _given_start(self, coef: Any, intercept: Any) -> Point | None:
        """The start that ``fit`` is given, or that of the last fit."""
        if coef is None and intercept is None:
            return self._start()
        if coef is None:
            raise InvalidData("intercept_init was given without coef_init. Give both, or coef_init alone.")
        w = np.atleast_2d(np.asarray(coef, dtype=np.float64))
        b = np.zeros(len(w)) if intercept is None else np.asarray(intercept, dtype=np.float64).ravel()
        if w.ndim != 2 or len(b) != len(w) or not (np.isfinite(w).all() and np.isfinite(b).all()):
            raise InvalidData(
                f"coef_init has shape {np.shape(coef)} and intercept_init {np.shape(intercept)}: expected "
                "finite numbers, (p,) and one, or (k, p) and (k,)."
            )
        b = b if self.fit_intercept else np.zeros(len(w))
        return Point(w, b, np.zeros(w.shape[1]), bool(self.fit_intercept))


def sgd_penalty(model: StochasticModel, weight_sum: float) -> Penalty:
    """alpha times the penalty, whatever the weights: both are on the mean of the losses."""
    alpha, share = float(model.alpha), float(model.l1_ratio)
    if model.penalty is None or alpha == 0.0:
        return Unpenalised()
    share = {"l2": 0.0, "l1": 1.0}.get(model.penalty, share)
    return ridge(alpha) if share == 0.0 else ElasticNet(alpha * share, alpha * (1.0 - share))


def memory(state: State) -> dict[str, Any]:
    """A state as arrays and numbers that a model can be saved with."""
    assert state.point is not None
    point = {"w": state.point.w, "b": state.point.b, "centre": state.point.centre}
    return {"point": point, "arrays": dict(state.arrays), "numbers": dict(state.numbers)}


def remembered(kept: Mapping[str, Any], intercept: bool) -> State:
    """The state that a model was left in."""
    point = kept["point"]
    return State(
        0, Point(point["w"], point["b"], point["centre"], intercept), None, kept["arrays"], kept["numbers"]
    )
