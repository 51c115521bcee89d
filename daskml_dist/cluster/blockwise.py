"""The hands for data that are cut by rows and by columns: coefficients stay with their columns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final
from uuid import uuid4

import numpy as np
from dask.task_spec import GraphNode, Task, TaskRef
from distributed import Client

from daskml_dist.cluster import block_tasks as tasks
from daskml_dist.cluster.keeping import Keeping, KeptHere, KeptThere
from daskml_dist.cluster.supervisor import Patience, Supervisor
from daskml_dist.kernels import Coding, canonical
from daskml_dist.kernels.blockwise import (
    Advance,
    BlockQuestion,
    Evaluate,
    Evaluated,
    Multiply,
    Try,
    advanced,
    backward,
    column_part,
    conjugate,
    curvature_of,
    forward,
    multiplied,
    row_part,
    sums,
    trial_values,
)
from daskml_dist.losses import Loss
from daskml_dist.penalties import Penalty
from daskml_dist.types import Cost, FloatArray


@final
@dataclass(frozen=True)
class BlockModel:
    """What is fitted: loss, penalty, intercept, whether columns are centred, and the sum of the weights."""

    loss: Loss
    penalty: Penalty
    intercept: bool
    centred: bool
    weight_sum: float
    start: float


@final
class Blockwise:
    """Answers questions about blocks (r, c) of X, with threads or with the workers of a cluster.

    Each block is visited where it lives. Vectors of coefficients live with their column of blocks, on the
    worker that owns it, and margins with their row; between them travel margins (rows) and products
    (columns), and to whoever asks only numbers. Sums are made in the order of the blocks, so that the bits
    depend on neither workers nor threads.
    """

    def __init__(self, client: Client | None, patience: Patience | None = None) -> None:
        self.supervisor = None if client is None else Supervisor(client, patience or Patience())
        self.keeping: Keeping = (
            KeptHere() if client is None or self.supervisor is None else KeptThere(client, self.supervisor)
        )
        self.cost = Cost(0, 0, 0.0)
        self._id = f"daskml-dist-blocks-{uuid4().hex[:12]}"
        self._count = 0
        self._graph: dict[str, GraphNode] = {}
        self._owners: dict[str, str] = {}
        self._state = _State()

    def hold(self, X: Any, columns: Mapping[str, Any], coding: Coding, model: BlockModel) -> None:
        """Bring the blocks to where they stay.

        Parameters
        ----------
        X : (n, p) dask array.
        columns : y, weight and offset, dask arrays (n,) with the row chunks of X.
        coding : from labels to targets.
        """
        self.model, self.widths, self.n_rows = model, X.chunks[1], X.numblocks[0]
        self._insist(lambda: self._hold(X, columns, coding))

    def answer(self, question: BlockQuestion) -> Any:
        """What the asker needs to know: a number, a few numbers, or ``Evaluated``."""
        began, before = time.monotonic(), self._count
        handlers: dict[type, Callable[[Any], Any]] = {
            Evaluate: self._evaluate,
            Multiply: self._multiply,
            Advance: self._advance,
            Try: self._try,
        }
        found = self._insist(lambda: handlers[type(question)](question))
        self.cost = Cost(self._count - before, 0, time.monotonic() - began)
        return found

    def coefficients(self) -> tuple[FloatArray, float]:
        """(p,) coefficients and the intercept, gathered once, at the end."""
        thetas = [self.keeping.value(_name(ref)) for ref in self._state.theta]
        centres = [self.keeping.value(_name(ref)) for ref in self._state.centres]
        parts = [theta[:width] for theta, width in zip(thetas, self.widths, strict=True)]
        shift = sum(float(part @ centre) for part, centre in zip(parts, centres, strict=True))
        return np.concatenate(parts), float(thetas[0][-1]) - shift if self.model.intercept else 0.0

    def close(self) -> None:
        """Let go of everything that was held."""
        self.keeping.keep_only(())
        if self.supervisor is not None:
            self.supervisor.dismiss()

    # -- questions ------------------------------------------------------------------------------------

    def _hold(self, X: Any, columns: Mapping[str, Any], coding: Coding) -> None:
        sources = [*columns.values(), X]
        self._graph |= {key: node for source in sources for key, node in source.__dask_graph__().items()}
        names = list(columns)
        rows = [
            self._call(tasks.coded, coding, r, names, *(TaskRef((part.name, r)) for part in columns.values()))
            for r in range(X.numblocks[0])
        ]
        blocks = [
            [
                self._call(canonical, TaskRef((X.name, r, c)), where=self._home(r, c))
                for c in range(X.numblocks[1])
            ]
            for r in range(X.numblocks[0])
        ]
        firsts = np.cumsum((0, *self.widths[:-1])).tolist()
        totals = [
            [self._call(sums, block, r, c, firsts[c], rows[r]) for c, block in enumerate(row)]
            for r, row in enumerate(blocks)
        ]
        model = self.model
        centres = [
            self._call(tasks.mean, model.centred, *column, owner=c)
            for c, column in enumerate(zip(*totals, strict=True))
        ]
        theta = [
            self._call(tasks.start, width, self._intercept(c), model.start, owner=c)
            for c, width in enumerate(self.widths)
        ]
        self._keep(_State(rows, blocks, centres, theta))

    def _evaluate(self, question: Evaluate) -> Evaluated:
        model, state = self.model, self._state
        theta = state.theta
        if state.vectors:
            theta = [
                self._call(tasks.moved, part, question.step, owner=c) for c, part in enumerate(state.vectors)
            ]
        margins = self._forward(theta)
        points = [
            self._call(row_part, model.loss, row, model.weight_sum, *parts)
            for row, parts in zip(state.rows, margins, strict=True)
        ]
        slopes = [self._call(tasks.slope, point) for point in points]
        bends = [self._call(tasks.bend, point) for point in points]
        gradients, hessians = self._backward(backward, slopes), self._backward(curvature_of, bends)
        r = len(points)
        vectors = [
            self._call(column_part, model.penalty, width, theta[c], r, *gradients[c], *hessians[c], owner=c)
            for c, width in enumerate(self.widths)
        ]
        along = [self._call(tasks.zeros, point) for point in points]
        values = [self._call(tasks.value, point) for point in points]
        told = [
            self._call(tasks.told, model.penalty, width, part)
            for width, part in zip(self.widths, vectors, strict=True)
        ]
        found = self._call(tasks.evaluated, len(values), *values, *told)
        after = replace(state, theta=theta, vectors=vectors, points=points, along=along, conjugate=[])
        evaluated: Evaluated = self._keep(after, found)
        return evaluated

    def _multiply(self, question: Multiply) -> float:
        state = self._state
        vectors = [
            self._call(conjugate, part, question.beta, owner=c) for c, part in enumerate(state.vectors)
        ]
        margins = self._forward([self._call(tasks.conjugate_of, part) for part in vectors])
        along = [self._call(tasks.total, *parts) for parts in margins]
        slopes = [self._call(tasks.bent, point, z) for point, z in zip(state.points, along, strict=True)]
        products = self._backward(backward, slopes)
        vectors = [
            self._call(multiplied, self.model.penalty, width, vectors[c], *products[c], owner=c)
            for c, width in enumerate(self.widths)
        ]
        found = self._call(tasks.total, *(self._call(tasks.product_along, part) for part in vectors))
        curvature: float = self._keep(replace(state, vectors=vectors, conjugate=along), found)
        return curvature

    def _advance(self, question: Advance) -> float:
        state, alpha = self._state, question.alpha
        vectors = [self._call(advanced, part, alpha, owner=c) for c, part in enumerate(state.vectors)]
        pairs = zip(state.along, state.conjugate, strict=True)
        along = [self._call(tasks.gone, z, v, alpha) for z, v in pairs]
        found = self._call(tasks.total, *(self._call(tasks.residual_square, part) for part in vectors))
        residual: float = self._keep(replace(state, vectors=vectors, along=along), found)
        return residual

    def _try(self, question: Try) -> FloatArray:
        model, state, steps = self.model, self._state, question.steps
        pairs = zip(state.points, state.along, strict=True)
        losses = [self._call(trial_values, model.loss, point, z, steps) for point, z in pairs]
        columns = zip(self.widths, state.vectors, strict=True)
        penalties = [
            self._call(tasks.trial_penalties, model.penalty, width, part, steps) for width, part in columns
        ]
        values: FloatArray = self._keep(state, self._call(tasks.total, *losses, *penalties))
        return values

    # -- blocks -----------------------------------------------------------------------------------------

    def _forward(self, thetas: list[TaskRef]) -> list[list[TaskRef]]:
        """What the blocks of each row add to its margins."""
        return [
            [self._visit(forward, block, c, thetas[c]) for c, block in enumerate(row)]
            for row in self._state.blocks
        ]

    def _backward(self, function: Any, rows: list[TaskRef]) -> list[list[TaskRef]]:
        """What the blocks of each column add to it, given something of each row."""
        parts = [
            [self._visit(function, block, c, rows[r]) for c, block in enumerate(row)]
            for r, row in enumerate(self._state.blocks)
        ]
        return [list(column) for column in zip(*parts, strict=True)]

    def _visit(self, function: Any, block: TaskRef, c: int, argument: TaskRef) -> TaskRef:
        return self._call(function, block, argument, self._state.centres[c], self._intercept(c))

    def _intercept(self, column: int) -> bool:
        """Whether the intercept lives with a column of blocks: the first one."""
        return self.model.intercept and column == 0

    # -- tasks --------------------------------------------------------------------------------------------

    def _home(self, r: int, c: int) -> str:
        """The worker of a block: one of those of its column, so that none needs all coefficients.

        The workers are dealt out to the columns, or the columns to the workers where these are fewer. With
        one column there is nothing to separate, and blocks stay where they are.
        """
        owners, columns = self.keeping.owners, len(self.widths)
        if not owners or columns == 1:
            return ""
        mine = owners[c % len(owners) :: columns]
        home: str = mine[r * len(mine) // self.n_rows]
        return home

    def _call(self, function: Any, *arguments: Any, owner: int | None = None, where: str = "") -> TaskRef:
        """A task; that of an owner runs on the (first) worker of its column of blocks."""
        self._count += 1
        name = f"{self._id}-{function.__name__.strip('_')}-{self._count}"
        self._graph[name] = Task(name, tasks.run, function, *arguments)
        owners = self.keeping.owners
        if owner is not None and owners:
            where = owners[owner % len(owners)]
        if where:
            self._owners[name] = where
        return TaskRef(name)

    def _keep(self, state: _State, found: TaskRef | None = None) -> Any:
        """Run all tasks, keep the state, and give what was found."""
        wanted = [*state.names, *([] if found is None else [_name(found)])]
        new = [name for name in wanted if name in self._graph]
        self.keeping.run(self._graph, self._owners, new)
        value = None if found is None else self.keeping.value(_name(found))
        self._state = state
        self.keeping.keep_only(state.names)
        return value

    def _insist(self, attempt: Callable[[], Any]) -> Any:
        """An attempt, made again where the cluster lost the work; every key is new each time."""

        def once() -> Any:
            self._graph, self._owners = {}, {}
            found = attempt()
            self._graph, self._owners = {}, {}
            return found

        if self.supervisor is None:
            return once()
        return self.supervisor.insist(once, _nothing, list)


@final
@dataclass(frozen=True)
class _State:
    """What is kept: of each row, each block, and each column of blocks.

    rows : y, weight and offset. points : the same with margins at the point. along, conjugate : margins of
    the direction and of v. centres, theta, vectors : of each column.
    """

    rows: list[TaskRef] = field(default_factory=list)
    blocks: list[list[TaskRef]] = field(default_factory=list)
    centres: list[TaskRef] = field(default_factory=list)
    theta: list[TaskRef] = field(default_factory=list)
    vectors: list[TaskRef] = field(default_factory=list)
    points: list[TaskRef] = field(default_factory=list)
    along: list[TaskRef] = field(default_factory=list)
    conjugate: list[TaskRef] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names of all results."""
        blocks = [block for row in self.blocks for block in row]
        columns = (*self.centres, *self.theta, *self.vectors)
        rows = (*self.rows, *self.points, *self.along, *self.conjugate)
        return [_name(ref) for ref in (*rows, *blocks, *columns)]


def _nothing(error: BaseException) -> None:
    """There is nothing to repair: Dask makes anew what was lost."""


def _name(task: TaskRef) -> str:
    return str(task.key)
