"""A say in a training: pause, resume, stop, and the learning rate, from any thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from threading import Condition
from typing import Any, final

from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter

COMMANDS = ("pause", "resume", "stop", "rate")
LOWEST, HIGHEST = 0.1, 10.0  # of the factor of one message from elsewhere


class StopAsked(Exception):
    """The training was asked to stop, and is to keep what it has reached."""


class RateAsked(Exception):
    """The learning rate is to be multiplied by ``factor``."""

    def __init__(self, factor: float) -> None:
        super().__init__(factor)
        self.factor = factor


@final
class Control:
    """What a training is asked to do; it looks between two questions, and while it waits for answers.

    Attributes
    ----------
    steerable : whether steps have learning rates; None until the solver is known.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._paused = self._stopping = self._in_parts = False
        self._factor = 1.0
        self._latest: Callable[[], Any] | None = None
        self._fitted: Callable[[], Any] | None = None
        self._observers: list[Callable[[], None]] = []
        self.steerable: bool | None = None

    # -- asked by others --------------------------------------------------------------------------

    def pause(self) -> None:
        """Go on no further than the answer that is being waited for."""
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        """Go on."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def stop(self) -> None:
        """End as soon as possible, and keep the best model so far."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def rate(self, factor: float) -> None:
        """Multiply the learning rates by a factor, once what is known of F has been brought up to date.

        Raises
        ------
        UnsupportedParameter
            The factor is no finite number above 0.
        UnsupportedCombination
            The solver finds its own steps.
        """
        number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if not number or not 0.0 < factor < math.inf:
            raise UnsupportedParameter(f"rate({factor!r}): expected a finite factor above 0.")
        if self.steerable is False:
            raise UnsupportedCombination(
                "This fit has no learning rate: its solver finds how long steps are. SGDClassifier, "
                "SGDRegressor and GradientDescent with an optimizer have one."
            )
        with self._changed:
            self._factor *= float(factor)
            self._changed.notify_all()

    @property
    def paused(self) -> bool:
        """Whether it waits, or is about to."""
        return self._paused and not self._stopping

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping

    # -- the side of the training -----------------------------------------------------------------

    def begin(self, steerable: bool) -> None:
        """The solver is known; what was asked of its learning rate before means nothing where it has none."""
        with self._changed:
            self.steerable = steerable
            self._factor = self._factor if steerable else 1.0

    def heed(self) -> None:
        """Raise StopAsked where it was asked to stop; takes no time."""
        if self._stopping:
            raise StopAsked

    def wait(self) -> None:
        """Wait while paused; raise StopAsked where it was asked to stop."""
        if self._paused or self._stopping:
            with self._changed:
                # with a timeout, since Ctrl-C does not end a wait without one everywhere
                while self._paused and not self._stopping:
                    self._changed.wait(0.5)
        self.heed()

    def steer(self) -> None:
        """Raise RateAsked, once, where another learning rate was asked for."""
        if self._factor != 1.0:
            with self._changed:
                factor, self._factor = self._factor, 1.0
            raise RateAsked(factor)

    # -- what was reached -------------------------------------------------------------------------

    def tell_by(self, make: Callable[[], Any]) -> None:
        """From now on ``make()`` tells what the training would come to if it ended then, or None."""
        self._latest = None if self._in_parts else make

    def in_parts(self) -> None:
        """The training consists of several, none of which tells what the whole of it would come to."""
        self._in_parts = True

    def passed(self) -> None:
        """A pass has told something."""
        for observer in self._observers:
            observer()

    def observe(self, observer: Callable[[], None]) -> None:
        """Have ``observer()`` called after each pass, in the thread of the fit, which ends if it raises."""
        self._observers.append(observer)

    def fitted_by(self, make: Callable[[], Any]) -> None:
        """From now on ``make()`` makes a fitted model of what is known; None where nothing is."""
        self._fitted = make

    @property
    def fitted(self) -> Any:
        """A model as if the training had ended now; None where nothing is known yet."""
        return None if self._fitted is None else self._fitted()

    @property
    def latest(self) -> Any:
        """What the training would come to if it ended now; None where nothing is known yet."""
        return None if self._latest is None else self._latest()


_current: ContextVar[Control | None] = ContextVar("daskml_dist_control", default=None)


def current_control() -> Control:
    """The control of trainings in this context; one that nobody else has, where none was set."""
    return _current.get() or Control()


def set_control(control: Control | None) -> None:
    """Have the trainings of this context controlled; of a thread, run it in a context of its own."""
    _current.set(control)


@final
class Controls:
    """The controls of the fits that run in this process, by the ids of the fits."""

    def __init__(self) -> None:
        self._of: dict[str, Control] = {}

    def enter(self, fit_id: str, control: Control) -> None:
        """A fit begins."""
        self._of[fit_id] = control

    def leave(self, fit_id: str) -> None:
        """A fit has ended."""
        self._of.pop(fit_id, None)

    def apply(self, message: Mapping[str, Any]) -> None:
        """Do what a message from elsewhere asks for, if its fit runs here.

        Parameters
        ----------
        message : ``fit_id``, ``command`` (one of ``COMMANDS``), and ``value``, which is the factor of "rate",
            from 0.1 to 10.

        Raises
        ------
        UnsupportedParameter
            Another command, or another factor.
        UnsupportedCombination
            The solver of the fit finds its own steps.
        """
        fit_id, command = message.get("fit_id"), message.get("command")
        control = self._of.get(fit_id) if isinstance(fit_id, str) else None
        if control is None:
            return
        if command not in COMMANDS:
            raise UnsupportedParameter(f"command={command!r}: expected one of {', '.join(COMMANDS)}.")
        if command != "rate":
            getattr(control, command)()
            return
        value: Any = message.get("value")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not LOWEST <= value <= HIGHEST:
            raise UnsupportedParameter(
                f"value={value!r}: expected a factor from {LOWEST:g} to {HIGHEST:g} of the learning rate."
            )
        control.rate(value)


#: of this process
controls = Controls()
