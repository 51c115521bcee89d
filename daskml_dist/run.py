"""A training in the background: watched, steered, and asked for its model at any time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextvars import copy_context
from functools import partial
from html import escape
from typing import Any, Literal, final

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.monitor import Control, set_control

_TICK = 0.02  # seconds

RunStatus = Literal["running", "paused", "stopping", "finished", "stopped", "failed"]


def train(estimator: Any, X: Any, y: Any = None, **fit_arguments: Any) -> Run:
    """Fit in the background, and return at once.

    Parameters
    ----------
    estimator : an estimator of ``daskml_dist.linear_model``. It is fitted itself, as ``fit`` would do it, and
        is to be left alone until the run has ended; ``run.model`` is a model in the meantime.
    X, y : see its ``fit``.
    **fit_arguments : what else its ``fit`` takes.

    Returns
    -------
    Run.

    Raises
    ------
    UnsupportedParameter
        What was given is no estimator of this library.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from daskml_dist.linear_model import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> run = train(LogisticRegression(verbose=0), X, y)
    >>> run.result().score(X, y) > 0.95, run.status
    (True, 'finished')
    """
    if not isinstance(estimator, BaseEstimator) or not isinstance(estimator, CallbackSupportMixin):
        raise UnsupportedParameter(
            f"train({type(estimator).__name__}, ...): expected an estimator of daskml_dist.linear_model, "
            "such as LogisticRegression(). A search or a pipeline is fitted by its own fit."
        )
    return Run(estimator, partial(estimator.fit, X, y, **fit_arguments))


@final
class Run:
    """A fit that goes on in a thread of its own; what ``train`` returns.

    ``await run`` gives what ``result`` gives. When the process ends, the fit does.

    Parameters
    ----------
    estimator : what is fitted.
    fit : fits it.
    """

    def __init__(self, estimator: Any, fit: Callable[[], Any]) -> None:
        self._estimator, self._fit = estimator, fit
        self._control = Control()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        context = copy_context()  # the current client, among others
        context.run(set_control, self._control)
        name = f"daskml-dist-{type(estimator).__name__}"
        threading.Thread(target=context.run, args=(self._run,), name=name, daemon=True).start()

    def _run(self) -> None:
        try:
            self._fit()
        except BaseException as error:  # whoever asks for the result is to see it
            self._error = error
        finally:
            self._ended.set()

    # -- asking -----------------------------------------------------------------------------------

    @property
    def model(self) -> Any:
        """The best model so far, which can predict; None until there is one.

        While the fit goes on it is a copy, with ``gap_``, ``n_passes_`` and ``history_`` of its own. Where
        the fit has failed, it is what was known by then.
        """
        if self.done() and self._error is None:
            return self._estimator
        return self._control.fitted

    @property
    def history(self) -> list[dict[str, Any]]:
        """One dict a pass so far; see ``history_``."""
        model = self.model
        return [] if model is None else list(model.history_)

    @property
    def status(self) -> RunStatus:
        """How it is, in one word."""
        if self.done():
            if self._error is not None:
                return "failed"
            return "stopped" if self._control.stopping else "finished"
        if self._control.stopping:
            return "stopping"
        return "paused" if self._control.paused else "running"

    def done(self) -> bool:
        """Whether the fit has ended, in whatever way."""
        return self._ended.is_set()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end; the fitted estimator.

        Ctrl-C ends the waiting, and not the fit: ``run.stop()`` does that.

        Parameters
        ----------
        timeout : seconds to wait, or None for as long as it takes.

        Raises
        ------
        TimeoutError
            The fit goes on after so long.
        FitStopped
            It was stopped before it had a model.
        Exception
            Whatever the fit has raised.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self._estimator

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end; what the fit has raised, or None."""
        if not self._ended.wait(timeout):
            raise TimeoutError(f"The fit goes on after {timeout:g} s: {self!r}")
        return self._error

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        while not self.done():  # no thread waits for it, which would outlive whoever loses patience
            await asyncio.sleep(_TICK)
        if self._error is not None:
            raise self._error
        return self._estimator

    # -- steering ---------------------------------------------------------------------------------

    def pause(self) -> None:
        """Let nothing be computed after the answer that is being waited for, until ``resume``."""
        self._control.pause()

    def resume(self) -> None:
        """Go on after ``pause``."""
        self._control.resume()

    def stop(self) -> None:
        """End as soon as possible and keep the best model so far; ``result`` returns it."""
        self._control.stop()

    def rate(self, factor: float) -> None:
        """Multiply the learning rate by a factor from the next pass or epoch on.

        Raises
        ------
        UnsupportedParameter
            The factor is no finite number above 0.
        UnsupportedCombination
            The solver finds its own steps, as most do.
        """
        self._control.rate(factor)

    # -- showing ----------------------------------------------------------------------------------

    @property
    def _facts(self) -> str:
        model = self.model
        if model is None:
            return "no model yet"
        return f"{model.n_passes_} passes, gap {model.gap_:.2g} ({model.gap_kind_})"

    def __repr__(self) -> str:
        return f"<Run of {type(self._estimator).__name__}: {self.status}, {self._facts}>"

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(type(self._estimator).__name__)}</b>: {self.status}, {escape(self._facts)}</p>"
