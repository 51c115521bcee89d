"""A conversation between a solver and the hands that hold the data."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

from daskml_dist.cluster import Hands, single_threaded_blas
from daskml_dist.fit.log import Log
from daskml_dist.parameter_server import Descent
from daskml_dist.solvers import State, Turn


class Reached(Protocol):
    """What a conversation comes to."""

    @property
    def state(self) -> State:
        """Where it stands."""
        ...


A = TypeVar("A", bound=Reached)


def hold(conversation: Generator[Turn, Any, A], hands: Hands, log: Log, keep: Callable[[State], None]) -> A:
    """Let the solver ask and the hands answer, until the solver is content; what it came to.

    BLAS has one thread meanwhile: for the small systems of solvers more of them only wait for each other, and
    the last bits would depend on how many there are.

    Parameters
    ----------
    conversation, hands : who asks and who answers.
    log : hears of each turn and of the end; its control is looked at before each question, and while answers
        are waited for.
    keep : is given each state before its question is answered.
    """
    control, told = log.control, 0
    with single_threaded_blas():
        reply: Any = None
        while True:
            try:
                turn = conversation.send(reply)
            except StopIteration as stop:
                found: A = stop.value
                log.heard(found.state, None)
                return found
            log.heard(turn.state, turn)
            keep(turn.state)
            if turn.state.passes > told:
                told = turn.state.passes
                control.passed()
                control.steer()  # only here, since solvers go on from what they knew after a pass
            control.wait()
            question = turn.question
            reply = hands.serve(question) if isinstance(question, Descent) else hands.answer(question)
