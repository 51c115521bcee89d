"""Several conversations at once: each pass answers the questions of all that are not done."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from daskml_dist.kernels import Judgement, Point, Question, Sweep, Together, Verdict, View
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, Solver, State, Turn
from daskml_dist.splits import Folds

_BYTES = 1 << 28  # of coefficients, or of rows that questions gather in one task, for all conversations


@final
@dataclass(frozen=True)
class Member:
    """A conversation, the rows that it is about, and those that its model is judged by, if any."""

    conversation: Conversation
    view: View
    judged: View | None = None


@final
@dataclass(frozen=True)
class Judged:
    """What a conversation came to, and how its model does on the rows that it is judged by."""

    solution: Solution
    verdict: Verdict | None


@final
@dataclass(frozen=True)
class Meeting:
    """What all conversations came to, and the last state, with the passes that were made."""

    judged: list[Judged]
    state: State


ManyConversation = Generator[Turn, Any, Meeting]


def together(members: Sequence[Member], folds: Folds | None, passes: int = 0) -> ManyConversation:
    """Hold all conversations, one pass for the questions of all of them.

    Each model is judged in the pass that evaluates it, so that what is known of it at the end is known
    of its final coefficients, for no pass more.

    Parameters
    ----------
    members : who takes part.
    folds : of the splits that the views speak of.
    passes : how many were made before.
    """
    table = [_Seat(member) for member in members]
    while asking := [seat for seat in table if seat.listen()]:
        yield from _pass([(seat, *pair) for seat in asking for pair in seat.asks()], table, folds, passes)
        passes += 1
    unjudged = [seat for seat in table if not seat.is_judged]
    if unjudged:
        yield from _pass([(seat, *seat.asks_to_be_judged()) for seat in unjudged], table, folds, passes)
        passes += 1
    return Meeting([seat.end() for seat in table], State(passes, None, _progress(table)))


def at_once(solver: Solver, problem: Problem) -> int:
    """How many such problems there is room for in one pass."""
    return max(_BYTES // max(solver.gathered_bytes(problem), 8 * problem.parameters), 1)


def in_turn(members: Sequence[Member], room: int, passes: int = 0) -> ManyConversation:
    """Hold all conversations, ``room`` of them at once; see ``together``."""
    judged: list[Judged] = []
    state = State(passes)
    for start in range(0, len(members), room):
        met = yield from together(members[start : start + room], None, state.passes)
        judged += met.judged
        state = met.state
    return Meeting(judged, state)


def held(meeting: ManyConversation, known: Callable[[State], State]) -> ManyConversation:
    """Hold a meeting as one conversation among others, with what is ``known`` in all of it as its state."""
    reply: Any = None
    while True:
        try:
            turn = meeting.send(reply)
        except StopIteration as stop:
            met: Meeting = stop.value
            return replace(met, state=known(met.state))
        reply = yield replace(turn, state=known(turn.state))


def noted(conversation: Conversation, states: list[State], place: int) -> Conversation:
    """The conversation, each state of which is taken note of in a list."""
    reply: Any = None
    while True:
        try:
            turn = conversation.send(reply)
        except StopIteration as stop:
            solution: Solution = stop.value
            states[place] = solution.state
            return solution
        states[place] = turn.state
        reply = yield turn


class _Seat:
    """One conversation: what it asks, what it was told, and how its model was judged."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.question: Question[Any] | None = None
        self.progress: Progress | None = None
        self._reply: Any = None
        self._solution: Solution | None = None
        self._verdict: tuple[Point, Verdict] | None = None

    def listen(self) -> bool:
        """Let it speak; whether it asks something."""
        if self._solution is not None:
            return False
        try:
            turn = self.member.conversation.send(self._reply)
        except StopIteration as stop:
            self._solution, self.question = stop.value, None
            self.progress = stop.value.state.progress
            return False
        assert isinstance(turn.question, Question)
        self.question, self.progress = turn.question, turn.state.progress
        return True

    def asks(self) -> list[tuple[Question[Any], View]]:
        """The question, and that of how the model does which it evaluates."""
        assert self.question is not None
        kernel, judge = self.question.kernel, self.member.judged
        asked: list[tuple[Question[Any], View]] = [(self.question, self.member.view)]
        if judge is not None and isinstance(kernel, Sweep):
            asked.append((Question(Judgement(kernel.point)), judge))
        return asked

    def asks_to_be_judged(self) -> tuple[Question[Any], View]:
        """How the model does that was found."""
        assert self.member.judged is not None and self._point is not None
        return Question(Judgement(self._point)), self.member.judged

    def hear(self, question: Question[Any], answer: Any) -> None:
        """Take an answer."""
        if isinstance(question.kernel, Judgement):
            self._verdict = question.kernel.point, answer
        else:
            self._reply = answer

    @property
    def is_judged(self) -> bool:
        """Whether it was the final model that was judged last, if any is to be judged."""
        return self.member.judged is None or (self._verdict is not None and self._verdict[0] is self._point)

    def end(self) -> Judged:
        """What it came to."""
        assert self._solution is not None
        return Judged(self._solution, None if self._verdict is None else self._verdict[1])

    @property
    def _point(self) -> Point | None:
        assert self._solution is not None
        return self._solution.state.point


def _pass(
    asked: Sequence[tuple[_Seat, Question[Any], View]],
    table: Sequence[_Seat],
    folds: Folds | None,
    passes: int,
) -> Generator[Turn, Any, None]:
    """One pass over the rows for all of these questions."""
    _, questions, views = zip(*asked, strict=True)
    answers = yield Turn(Question(Together(questions, views, folds)), State(passes, None, _progress(table)))
    for (seat, question, _), answer in zip(asked, answers, strict=True):
        seat.hear(question, answer)


def _progress(table: Sequence[_Seat]) -> Progress | None:
    """That of the one that is furthest from its end, with the mean objective; None until all have one."""
    reports = [seat.progress for seat in table if seat.progress is not None]
    if len(reports) < len(table):
        return None
    worst = max(reports, key=lambda report: report.gap)
    return replace(worst, objective=float(np.mean([report.objective for report in reports])))
