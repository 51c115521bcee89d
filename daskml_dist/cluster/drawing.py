"""A pass as a graph of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final
from uuid import uuid4

import dask
from dask.delayed import Delayed

from daskml_dist.cluster.tasks import FAN_IN, ask_shard, finish_answer, join_partials
from daskml_dist.kernels import Coding, Question


@final
@dataclass(frozen=True)
class Drawing:
    """What the tasks of a pass have in common.

    Attributes
    ----------
    fit_id : the keys of all tasks begin with it.
    question, coding, token : what shards are asked, and how they code their targets.
    chunks : how many there are in all shards.
    needs : the resources of Dask that each of the kernels takes.
    """

    fit_id: str
    question: Question[Any]
    coding: Coding
    token: str
    chunks: int
    needs: Mapping[str, float]

    def graph(
        self, shards: Sequence[Any], owners: Sequence[str], done: Sequence[Any] = (), first: int = 0
    ) -> tuple[Delayed, list[Delayed]]:
        """The answer, and the work of each shard in it: a kernel a shard, and a tree of joins; keys are new.

        Parameters
        ----------
        shards, owners : futures or keys, and the worker of each.
        done : shares of other shards, which are joined as well.
        first : the number of the first of these shards.
        """
        kernel = self.question.kernel
        name = f"{self.fit_id}-{type(kernel).__name__.lower()}-{uuid4().hex[:8]}"
        # bound, not passed: delayed takes the fields of a dataclass that is passed apart, into tasks
        ask = dask.delayed(partial(ask_shard, kernel, self.coding, self.token), pure=False, traverse=False)
        join = dask.delayed(partial(join_partials, kernel), pure=False, traverse=False)
        last = dask.delayed(partial(finish_answer, self.question, self.chunks), pure=False, traverse=False)
        asks = []
        for number, (shard, owner) in enumerate(zip(shards, owners, strict=True), first):
            with dask.annotate(workers=[owner], allow_other_workers=True, **self._resources()):
                asks.append(ask(shard, number, dask_key_name=f"{name}-shard-{number}"))
        shares, level = [*asks, *done], 0
        while len(shares) > FAN_IN:
            level += 1
            shares = [
                join(*shares[i : i + FAN_IN], dask_key_name=f"{name}-join-{level}-{i}")
                for i in range(0, len(shares), FAN_IN)
            ]
        finished: Delayed = last(*shares, dask_key_name=f"{name}-finish")
        return finished, asks

    def tasks(self, graph: Delayed) -> int:
        """How many tasks of the fit are in a graph."""
        return sum(1 for key in graph.__dask_graph__() if str(key).startswith(self.fit_id))

    def _resources(self) -> dict[str, Any]:
        return {"resources": dict(self.needs)} if self.needs else {}
