"""Tasks whose results are kept where they were made, under names: in this process, or on workers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, final

import dask
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.task_spec import DataNode, GraphNode
from distributed import Client, Future

from daskml_dist.cluster.supervisor import Supervisor


class Keeping(ABC):
    """Runs graphs of named tasks, and keeps those results that are wanted later."""

    @property
    @abstractmethod
    def owners(self) -> tuple[str, ...]:
        """The workers that can own results; none without a cluster."""

    @abstractmethod
    def run(self, graph: Mapping[str, GraphNode], owners: Mapping[str, str], wanted: Iterable[str]) -> None:
        """Compute and keep.

        Parameters
        ----------
        graph : tasks by name; they may refer to results that are kept.
        owners : the worker on which a task is to run, as long as that lives; anywhere, where it is not named.
        wanted : names of results to keep.
        """

    @abstractmethod
    def value(self, name: str) -> Any:
        """A kept result, in this process."""

    @abstractmethod
    def keep_only(self, names: Iterable[str]) -> None:
        """Let go of all others."""


@final
class KeptHere(Keeping):
    """Threads of this process."""

    owners: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def run(self, graph: Mapping[str, GraphNode], owners: Mapping[str, str], wanted: Iterable[str]) -> None:
        names = list(wanted)
        known = {name: DataNode(name, value) for name, value in self._kept.items()}
        self._kept |= zip(names, dask.threaded.get({**known, **graph}, names), strict=True)

    def value(self, name: str) -> Any:
        return self._kept[name]

    def keep_only(self, names: Iterable[str]) -> None:
        live = set(names)
        self._kept = {name: value for name, value in self._kept.items() if name in live}


@final
class KeptThere(Keeping):
    """The workers of a cluster; where one dies, Dask makes anew what it kept."""

    def __init__(self, client: Client, supervisor: Supervisor) -> None:
        self._client, self._supervisor = client, supervisor
        self._owners = tuple(sorted(supervisor.wait_for_workers()))
        self._kept: dict[str, Future[Any]] = {}

    @property
    def owners(self) -> tuple[str, ...]:
        return self._owners

    def run(self, graph: Mapping[str, GraphNode], owners: Mapping[str, str], wanted: Iterable[str]) -> None:
        names = list(wanted)
        drawn = self._drawn(graph, owners)
        asked = [Delayed(name, drawn, layer=_layer(owners.get(name, ""))) for name in names]
        futures = self._client.compute(asked, optimize_graph=False)
        self._supervisor.settle(futures)
        self._kept |= zip(names, futures, strict=True)

    def value(self, name: str) -> Any:
        return self._supervisor.fetch(self._kept[name])

    def keep_only(self, names: Iterable[str]) -> None:
        live = set(names)
        for name in [name for name in self._kept if name not in live]:
            self._kept.pop(name).release()

    def _drawn(self, graph: Mapping[str, GraphNode], owners: Mapping[str, str]) -> HighLevelGraph:
        """The tasks in one layer for each owner, and what they refer to."""
        nodes = [node for node in graph.values() if isinstance(node, GraphNode)]  # the rest are plain values
        used = {key for node in nodes for key in node.dependencies if key in self._kept}
        parts: dict[str, dict[Any, Any]] = {"": {key: self._kept[key] for key in used}}
        for name, node in graph.items():
            parts.setdefault(owners.get(name, ""), {})[name] = node
        layers = {
            _layer(owner): MaterializedLayer(
                part, annotations={"workers": [owner], "allow_other_workers": True} if owner else None
            )
            for owner, part in parts.items()
        }
        others = {name: set(layers) - {name} for name in layers}
        return HighLevelGraph(layers, others)


def _layer(owner: str) -> str:
    """The layer of the tasks of an owner, or of those that have none."""
    return f"layer-{owner}"
