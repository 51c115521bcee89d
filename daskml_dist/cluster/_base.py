"""The contract of the hands: the only room that makes Dask or threads work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, final

from daskml_dist.kernels import Coding, Question
from daskml_dist.parameter_server import Descent, Served
from daskml_dist.partition import Plan, in_place, sequential
from daskml_dist.types import AnyArray, Chunk, Cost, Decision, Layout, Table

B = TypeVar("B")


class Busy(NamedTuple):
    """How long a shard's sweep took, loading included, and where: a few bytes beside its partial."""

    shard: int
    worker: str
    seconds: float


@final
@dataclass(frozen=True)
class Holding:
    """What the hands hold: facts from which a partition is planned.

    Attributes
    ----------
    rows : rows of each chunk (a guess of 1 each where they are unknown).
    locations : the worker that holds each chunk, or None.
    slots : the worker of each thread.
    streamed : whether chunks are loaded anew for each question, because they do not fit in memory.
    """

    rows: tuple[int, ...]
    locations: tuple[str | None, ...]
    slots: tuple[str, ...]
    streamed: bool


def _go_on() -> None:
    """Nobody has a say."""


def heeded(chunks: Iterable[Chunk], heed: Callable[[], None]) -> Iterator[Chunk]:
    """The chunks, before each of which ``heed()`` may end the work."""
    for chunk in chunks:
        heed()
        yield chunk


class Hands(ABC):
    """Holds a table and answers questions about it.

    Call ``hold``, ``place`` and ``code`` in this order, then ``answer`` as often as needed, and
    ``close`` at the end. ``planned`` is the plan that the hands would choose. All
    backends give the same bits. ``cost`` is that of the last question, ``busy`` how long each shard took for
    it, where that is known; ``plan`` says which chunk lives where, ``coding`` how kernels see targets, and
    ``names`` how the columns of the table are called. ``heed()`` is called every now and then while an
    answer is waited for; what it raises ends the wait.
    """

    coding: Coding
    cost: Cost
    plan: Plan
    heed: Callable[[], None] = staticmethod(_go_on)
    busy: tuple[Busy, ...] = ()
    names: AnyArray | None = None

    @abstractmethod
    def hold(self, table: Table) -> Holding:
        """Bring the table's chunks to where they stay, or prepare to stream them."""

    def planned(self, holding: Holding) -> Plan:
        """Where the chunks are to be answered for at first: where they are, or in runs of equal rows."""
        if holding.streamed or set(holding.locations) == {None}:
            return sequential(holding.rows, holding.slots)
        return in_place(holding.rows, holding.locations, holding.slots)

    @abstractmethod
    def place(self, plan: Plan) -> None:
        """Give each worker its shards."""

    @abstractmethod
    def code(self, coding: Coding) -> None:
        """From now on kernels see coded targets."""

    @abstractmethod
    def answer(self, question: Question[B]) -> B:
        """Ask all shards, combine what they say, and finish the answer."""

    @abstractmethod
    def serve(self, descent: Descent) -> Served:
        """Let nodes descend, one for each shard, by servers of parameters."""

    @abstractmethod
    def evaluate(self, small: Any) -> Any:
        """The value of a small dask collection, such as the lengths of chunks."""

    @abstractmethod
    def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        """Tell whoever listens to the topic; returns at once."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything that was held."""

    @abstractmethod
    def layout(self) -> Layout:
        """Who answers for what."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What moved between workers so far, and why; nothing moves without a cluster."""
        return ()

    @property
    @abstractmethod
    def graph(self) -> Any:
        """The graph of the last question as a ``dask.delayed.Delayed``, or None."""

    @property
    @abstractmethod
    def dashboard(self) -> str | None:
        """Address of the dashboard, or None."""


def laid_out(plan: Plan, rows: Sequence[int], sizes: Sequence[float], threads: int, streamed: bool) -> Layout:
    """The layout of a plan, given the rows and bytes of each chunk."""
    return Layout(
        tuple(int(sum(rows[i] for i in ids)) for ids in plan.shards),
        tuple(int(sum(sizes[i] for i in ids)) for ids in plan.shards),
        tuple(plan.owners),
        len(rows),
        threads,
        streamed,
    )
