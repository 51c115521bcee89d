"""What the linear models share: from parameters to a training, and from its outcome to attributes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from os import PathLike
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from daskml_dist import fit as spine
from daskml_dist import inputs
from daskml_dist.errors import InvalidData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.fit import Interrupted, Outcome, Training
from daskml_dist.kernels import Point
from daskml_dist.labelled import Asked, Naming, is_labelled, restored
from daskml_dist.linear_model._labelled import forget, given, is_identity, is_mapped, label, layout_of
from daskml_dist.linear_model._shown import as_html
from daskml_dist.linear_model._watched import torn_down, watched
from daskml_dist.penalties import L2, Penalty, Unpenalised
from daskml_dist.solvers import MODEL_PARALLEL
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray, FloatArray


class LinearModel(CallbackSupportMixin, BaseEstimator):
    """A model whose margin is linear in the features."""

    coef_: AnyArray
    intercept_: Any
    n_features_in_: int
    fit_intercept: bool
    warm_start: bool  # of those that have it
    _naming: Naming | None

    def __sklearn_clone__(self) -> Self:
        """An unfitted copy; a Client is shared, since it cannot be copied."""
        copied = type(self)(**self.get_params(deep=False))
        callbacks = vars(self).get("_skl_callbacks", ())
        return copied.set_callbacks(*callbacks) if callbacks else copied

    def visualize(self, filename: str | None = "mydask", format: str | None = None) -> Any:
        """Draw the graph of the last pass, with ``dask.delayed.Delayed.visualize``.

        Parameters
        ----------
        filename : file to write, without its ending; None to write none.
        format : "png", "svg", "pdf", "dot" or another that graphviz knows.
        """
        check_is_fitted(self)
        if self.graph_ is None:
            raise UnsupportedParameter(
                "The fit ran in threads of this process, which needs no graph. Fit with a distributed.Client."
            )
        return self.graph_.visualize(filename=filename, format=format)

    def __getstate__(self) -> dict[str, Any]:
        """Fitted models travel without the graph, which refers to a cluster."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_naming", None)
        if "graph_" in state:
            state["graph_"] = None
        return state

    def _html_repr(self) -> str:
        """scikit-learn's diagram of the parameters, and what a fitted model has found."""
        return str(super()._html_repr()) + as_html(self)

    def __sklearn_tags__(self) -> Any:
        """scikit-learn's facts about the estimator: X may be sparse."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- fitting ----------------------------------------------------------------------------------

    @torn_down
    def _train(
        self,
        training: Training,
        X: Any,
        y: Any,
        sample_weight: Any,
        offset: Any = None,
        groups: Any = None,
        asked: Asked | None = None,
    ) -> Outcome:
        """Run a training, and keep what was reached even when it is interrupted."""
        data = given(asked, training, X, y, sample_weight, offset, groups)
        X, y, sample_weight, offset, groups = data.X, data.y, data.sample_weight, data.offset, data.groups
        refuse_other_start(training.start, X)
        check_features(self, X, reset=True, names=data.names)
        forget(self)
        if data.naming is not None:
            self._naming = data.naming
        training = replace(training, feature_names=None if data.names is None else tuple(data.names))
        with watched(self, training, X, y, sample_weight, lambda model, outcome: model._keep(outcome, X)):
            try:
                outcome = self._run(training, X, y, sample_weight, offset, groups)
            except Interrupted as interruption:
                if interruption.outcome is not None:
                    self._keep(interruption.outcome, X)
                raise
            self._keep(outcome, X)
        if outcome.stopped:  # as it was asked to
            return outcome
        for note in outcome.solution.notes:
            warnings.warn(note, ConvergenceWarning, stacklevel=3)
        gave_up = outcome.solution.notes and self.n_passes_ < training.max_passes  # more of them are no help
        if not outcome.solution.converged and not gave_up:
            warnings.warn(
                f"{training.name} did not reach tol={training.tol:g} within max_iter={training.max_passes} "
                f"passes; the relative gap is {self.gap_:.3g} ({self.gap_kind_}). Raise max_iter, or scale "
                "the data.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return outcome

    def _run(
        self, training: Training, X: Any, y: Any, sample_weight: Any, offset: Any, groups: Any
    ) -> Outcome:
        """The training itself."""
        if training.solver == MODEL_PARALLEL:
            return spine.fit_model_parallel(training, X, y, sample_weight, offset)
        return spine.fit(training, X, y, sample_weight, offset, groups)

    def _keep(self, outcome: Outcome, X: Any) -> None:
        """Set the fitted attributes that all models have."""
        state = outcome.solution.state
        assert state.point is not None
        dtype = np.float32 if dtype_of(X) == np.float32 else np.float64
        self._set_coefficients(state.point.w.astype(dtype), state.point.raw_intercept.astype(dtype), outcome)
        self.n_passes_ = state.passes
        self.gap_ = float("inf") if state.progress is None else float(state.progress.gap)
        self.gap_kind_ = "estimate" if state.progress is None else state.progress.gap_kind
        self.history_ = outcome.history
        self.graph_ = outcome.graph
        self.decisions_ = outcome.decisions
        naming: Naming | None = vars(self).get("_naming")
        if naming is not None:
            identity = is_identity(self, outcome.problem.loss)
            label(self, naming, used=outcome.problem.rows, identity=identity)

    def _set_coefficients(self, w: AnyArray, b: AnyArray, outcome: Outcome) -> None:
        raise NotImplementedError

    # -- predicting -------------------------------------------------------------------------------

    def _apply(
        self,
        X: Any,
        function: Any,
        outputs: Any,
        dtype: Any,
        name: str | None = None,
        *,
        target: bool = False,
    ) -> Any:
        """Map blocks of X through a function of the margin; ``target``: the result is in the place of y."""
        check_is_fitted(self)
        layout = layout_of(self)
        if layout is not None and is_labelled(X):
            coef: Any = self.coef_
            return restored(layout, coef, X, function, outputs=outputs, dtype=dtype, target=target)
        check_features(self, X, reset=False)
        return inputs.apply(
            X, function, n_features=self.n_features_in_, outputs=outputs, dtype=dtype, name=name
        )

    def _point(self) -> Point:
        """The fitted model as a point, (K, p) and (K,)."""
        if is_mapped(self):
            raise UnsupportedCombination(
                f"{type(self).__name__} was fitted with fit_over and is a model for each cell; one model is "
                "needed here. Fit without fit_over, or see coef_ and intercept_."
            )
        w = np.atleast_2d(np.asarray(self.coef_, dtype=np.float64))
        b = np.broadcast_to(np.asarray(self.intercept_, dtype=np.float64).reshape(-1), (len(w),))
        return Point(w, b, np.zeros(w.shape[1]), True)

    def _start(self) -> Point | None:
        """The fitted model, where there is one and ``warm_start`` says that a fit starts from it."""
        if not self.warm_start or "coef_" not in vars(self):
            return None
        point = self._point()
        if self.fit_intercept:
            return point
        return replace(point, b=np.zeros(len(point.b)), intercept=False)

    def _result_dtype(self, X: Any) -> Any:
        return np.float32 if dtype_of(X) == np.float32 else np.float64


def check_features(model: LinearModel, X: Any, *, reset: bool, names: AnyArray | None = None) -> None:
    """Let scikit-learn set or compare ``n_features_in_`` and ``feature_names_in_``.

    ``names`` : of the features, where X itself does not know them.
    """
    n_features, own = inputs.features_of(X)
    names = own if names is None else names
    if names is None and not reset and layout_of(model) is not None and n_features == model.n_features_in_:
        names = vars(model).get("feature_names_in_")  # rows need not repeat what labels have told
    if names is None:
        validate_data(model, np.empty((1, n_features)), reset=reset, skip_check_array=True)
    else:
        validate_data(model, pd.DataFrame(columns=names), reset=reset, skip_check_array=True)


def refuse_other_start(start: Point | None, X: Any) -> None:
    """Refuse to start from the coefficients of other features."""
    n_features = inputs.features_of(X)[0]
    if start is not None and start.w.shape[1] != n_features:
        raise InvalidData(
            f"warm_start=True starts from {start.w.shape[1]} coefficients, and X has {n_features} features. "
            "Fit with warm_start=False, or a clone of the model."
        )


def dtype_of(X: Any) -> Any:
    """The dtype of the matrix that X stands for, if it has one; None for lists."""
    if isinstance(getattr(X, "dtypes", None), pd.Series):
        kinds = set(X.dtypes)
        return kinds.pop() if len(kinds) == 1 else None
    return getattr(X, "dtype", None)


def refuse_changed(model: LinearModel, meaningless: dict[str, Any]) -> None:
    """Refuse parameters of scikit-learn that mean nothing here and were changed from their default."""
    for name, default in meaningless.items():
        given = getattr(model, name)
        if given is not default and given != default:
            raise UnsupportedParameter(
                f"{type(model).__name__}({name}={given!r}) is not supported: expected the default "
                f"{default!r}. The parameter is there for compatibility with scikit-learn only."
            )


def refuse_outside(
    model: LinearModel, name: str, low: float, *, strict: bool = False, infinite: bool = False
) -> None:
    """Refuse a number below ``low`` (or equal to it where ``strict``), infinity, and what is no number."""
    given = getattr(model, name)
    number = isinstance(given, int | float | np.integer | np.floating) and not isinstance(given, bool)
    inside = number and (given > low if strict else given >= low) and (infinite or given < np.inf)
    if not inside:
        kind = "number" if infinite else "finite number"
        sign = ">" if strict else ">="
        raise UnsupportedParameter(
            f"{type(model).__name__}({name}={given!r}): {name} must be a {kind} {sign} {low:g}."
        )


def refuse_share(model: LinearModel, name: str) -> None:
    """Refuse what is no number from 0 to 1."""
    refuse_outside(model, name, 0.0)
    if getattr(model, name) > 1.0:
        raise UnsupportedParameter(
            f"{type(model).__name__}({name}={getattr(model, name)!r}): expected a number from 0 to 1."
        )


def refuse_other_types(model: LinearModel, names: dict[str, Any], expected: str) -> None:
    """Refuse parameters that are of another type, where the model has them."""
    for name, types in names.items():
        given = model.get_params(deep=False).get(name)
        if given is not None and not isinstance(given, types):
            raise UnsupportedParameter(f"{type(model).__name__}({name}={given!r}): expected {expected}.")


def refuse_other_checkpoint(model: LinearModel) -> None:
    """Refuse what is no place for checkpoints."""
    refuse_other_types(
        model, {"checkpoint": (str, PathLike, Checkpoint)}, "a directory or URL, a Checkpoint, or None"
    )


def refuse_common(model: Any) -> None:
    """Check the parameters that all models share."""
    refuse_outside(model, "tol", 0.0)
    refuse_outside(model, "max_iter", 1)
    switches = dict.fromkeys(("fit_intercept", "warm_start", "certify"), bool | np.bool_)
    refuse_other_types(model, switches, "True or False")
    refuse_other_types(model, dict.fromkeys(("max_iter", "verbose"), int | np.integer), "an integer")
    refuse_other_checkpoint(model)
    if model.fit_intercept is None:
        raise UnsupportedParameter(f"{type(model).__name__}(fit_intercept=None): expected True or False.")


def seed_of(random_state: Any) -> int:
    """A seed of samples from scikit-learn's ``random_state``."""
    if random_state is None:
        return 0  # the same data give the same bits
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    raise UnsupportedParameter(
        f"random_state={random_state!r} was given; expected None, an integer or a numpy RandomState."
    )


def ridge(alpha: float) -> Penalty:
    """alpha |w|^2 / 2, or no penalty where alpha is 0."""
    return L2(alpha) if alpha > 0 else Unpenalised()


def margins(point: Point, x: AnyArray) -> FloatArray:
    """(m,) or (m, K) margins of a block of rows, in float64."""
    x = x if issparse(x) else np.require(x, dtype=np.float64, requirements=["C", "A"])
    z = x @ point.w.T + point.raw_intercept
    return np.asarray(z[:, 0] if len(point.w) == 1 else z)
