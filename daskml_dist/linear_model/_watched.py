"""What others hear of a fit while it runs: scikit-learn's callbacks, and who asks for a model meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any, TypeVar, cast

from sklearn.callback import with_callbacks

from daskml_dist.fit import Outcome, Training

Method = TypeVar("Method", bound=Callable[..., Any])

_CALLBACKS, _PARENT = "_skl_callbacks", "_parent_callback_ctx"  # scikit-learn's


@contextmanager
def watched(
    model: Any,
    training: Training,
    X: Any,
    y: Any,
    sample_weight: Any,
    keep: Callable[[Any, Outcome], None] | None,
) -> Iterator[None]:
    """Tell of the fit that the block is.

    Parameters
    ----------
    model : the estimator.
    training : what is trained.
    X, y, sample_weight : what callbacks are given.
    keep : sets the fitted attributes of an estimator; None where there is no model before the end.
    """

    def fitted() -> Any:
        """A model as if the fit had ended here; None where there is none yet."""
        outcome = training.control.latest
        if outcome is None or keep is None:
            return None
        so_far = copy(model)
        so_far.__dict__.pop(_CALLBACKS, None)
        keep(so_far, outcome)
        return so_far

    training.control.fitted_by(fitted)
    if _CALLBACKS not in vars(model) and _PARENT not in vars(model):
        yield
        return
    context = model._init_callback_context(max_subtasks=None)  # passes; nobody knows how many
    given = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}

    def passed() -> None:
        task = context.subcontext("pass").call_on_fit_task_begin(estimator=model, **given)
        attributes = partial(_told, fitted)
        if task.call_on_fit_task_end(estimator=model, reconstruction_attributes=attributes, **given):
            training.control.stop()

    context.call_on_fit_task_begin(estimator=model, **given)
    training.control.observe(passed)
    yield
    attributes = partial(_told, lambda: model)
    context.call_on_fit_task_end(estimator=model, reconstruction_attributes=attributes, **given)


def _told(fitted: Callable[[], Any]) -> dict[str, Any] | None:
    """What makes a copy of the estimator a fitted one."""
    model = fitted()
    return None if model is None else {name: x for name, x in vars(model).items() if name != _CALLBACKS}


def torn_down(method: Method) -> Method:
    """The method, after which scikit-learn's callbacks are told that all is over, however it ends."""
    return cast(Method, with_callbacks(method))
