"""From what a conversation reveals to steps for whoever listens."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import Any, final
from uuid import uuid4

from daskml_dist.cluster import Hands, OnDask, scheduler_id
from daskml_dist.fit.details import Details
from daskml_dist.fit.training import Training
from daskml_dist.monitor import (
    TOPIC,
    Detail,
    FitEnd,
    FitInfo,
    History,
    Listeners,
    Status,
    TopicPublisher,
    audience,
    controls,
    discover,
    open_pages,
    progress_view,
)
from daskml_dist.solvers import Problem, State, Turn
from daskml_dist.types import Decision, Step


@final
class Log:
    """Turns what a conversation reveals into steps for whoever listens."""

    def __init__(self, training: Training, hands: Hands, problem: Problem, solver: str) -> None:
        self.history = History()
        self.listeners = Listeners(
            (self.history, progress_view(training.verbose), TopicPublisher(self._publish), *discover())
        )
        self.hands, self.began = hands, time.monotonic()
        self.asked, self.passes, self.rows = "", 0, problem.rows
        self.state = State()
        self.details = Details(hands, problem, self.began)
        self._told: tuple[Decision, ...] = ()
        self.id = uuid4().hex
        self.control = training.control
        controls.enter(self.id, self.control)
        if isinstance(hands, OnDask):
            open_pages(hands.client, scheduler_id(hands.client))
        info = FitInfo(
            self.id,
            training.name,
            solver,
            problem.rows,
            problem.features,
            training.tol,
            training.max_passes,
        )
        self.listeners.begin(info)
        if self._watched:
            for detail in self.details.placed():
                self.listeners.look(detail)

    def heard(self, state: State, turn: Turn | None) -> None:
        """Note a step if the last question was a pass that told something of the objective."""
        self.state = state  # known before anybody hears of it: Ctrl-C may come meanwhile
        if state.progress is not None and state.passes > self.passes:
            cost = self.hands.cost
            progress = state.progress
            self.listeners.hear(
                Step(
                    passes=state.passes,
                    question=self.asked,
                    objective=progress.objective,
                    gap=progress.gap,
                    gap_kind=progress.gap_kind,
                    gradient_norm=progress.gradient_norm,
                    step_size=progress.step_size,
                    rows=self.rows,
                    seconds=time.monotonic() - self.began,
                    tasks=cost.tasks,
                    partial_bytes=cost.partial_bytes,
                )
            )
        if self._watched:
            self._look(state, turn is None)
        self._tell_decisions()
        self.passes = state.passes
        self.asked = "" if turn is None else turn.asked

    def tell(self, detail: Detail) -> None:
        """Let whoever watches know of something that no state tells; it may come after the end."""
        if self._watched:
            self.listeners.look(detail)

    def decisions(self) -> list[dict[str, Any]]:
        """What moved between workers so far: what becomes ``decisions_``."""
        return [asdict(decision) for decision in self.hands.decisions]

    @property
    def _watched(self) -> bool:
        """Whether anybody could see more than the steps."""
        return isinstance(self.hands, OnDask) or bool(audience)

    def _publish(self, topic: str, message: dict[str, Any]) -> None:
        """To whoever watches here, and on the cluster."""
        if topic == TOPIC:
            audience.tell(message)
        self.hands.publish(topic, message)

    def _look(self, state: State, last: bool) -> None:
        """Tell what was revealed beside the numbers of the step."""
        if self.asked:
            self.details.answered()
        for detail in self.details.of(state, last):
            self.listeners.look(detail)

    def _tell_decisions(self) -> None:
        """Tell what was decided, or measured, since the last time."""
        now = self.hands.decisions
        for decision in now:
            if decision not in self._told:
                self.listeners.decide(decision)
        self._told = now

    def ended(self, status: Status, message: str = "") -> None:
        """Tell that the conversation is over."""
        controls.leave(self.id)
        self._tell_decisions()
        seconds = time.monotonic() - self.began
        why = message or _reason(status)
        self.listeners.end(FitEnd(self.id, status, why, self.state.passes, seconds))


def _reason(status: str) -> str:
    """Why a fit failed: the error that is on its way up; empty for other ends."""
    error = sys.exc_info()[1] if status == "failed" else None
    return "" if error is None else f"{type(error).__name__}: {error}"[:500]
