"""The one place that reaches into Dask's scheduler and client, where no public call does what a fit needs.

tests/cluster/test_scheduler_internals.py names each of them, so that a new release of distributed that
changes one is noticed there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from dask.typing import Key
from distributed import Client
from distributed.deploy.adaptive import Adaptive


def forgive(client: Client, keys: list[str]) -> None:
    """Forget how often workers died while these keys waited on them.

    The scheduler counts that for each key for life and gives a key up after ``allowed-failures``
    deaths, also a chunk that is not to blame (``TaskState.suspicious``).
    """
    client.run_on_scheduler(_forgive, keys=keys)


def drop_worker(client: Client, address: str) -> None:
    """Take a worker that no longer answers out of the scheduler's books (``Scheduler.remove_worker``)."""
    client.run_on_scheduler(_drop_worker, address=address)


def blamed(client: Client, key: Key) -> Key:
    """The task whose failure is that of ``key``, which may be the same (``TaskState.exception_blame``)."""
    found: Any = client.run_on_scheduler(_blamed, key=key)
    return key if found is None else cast(Key, found)


def adaptive_of(client: Client) -> Adaptive | None:
    """What scales the client's cluster by its load, if anything does (``Cluster._adaptive``)."""
    found = getattr(client.cluster, "_adaptive", None)
    return found if isinstance(found, Adaptive) and found.state in ("starting", "running") else None


def reconnect_for(client: Client, seconds: float | None) -> float | None:
    """Let the client look for a scheduler that went away for this long; how long it did (``_timeout``)."""
    before: float | None = client._timeout
    client._timeout = seconds
    return before


def scheduler_id(client: Client) -> str:
    """Which scheduler the client is connected to, without asking it (``_scheduler_identity``)."""
    return str(client._scheduler_identity.get("id", ""))


def drop_copies(client: Client, copies: Mapping[str, list[Key]]) -> None:
    """Let each worker forget these keys where another has them (``Scheduler.request_remove_replicas``).

    The Active Memory Manager would drop a copy too many on its own, but not the one that is meant. It must
    not do so meanwhile, or both are gone: the scheduler counts the copies and strikes one out at once.
    """
    client.run_on_scheduler(_drop_copies, copies=dict(copies))


def _blamed(dask_scheduler: Any, key: Key) -> Key | None:
    task = dask_scheduler.tasks.get(key)
    return None if task is None or task.exception_blame is None else cast(Key, task.exception_blame.key)


def _forgive(dask_scheduler: Any, keys: list[str]) -> None:
    for key in keys:
        task = dask_scheduler.tasks.get(key)
        if task is not None:
            task.suspicious = 0


async def _drop_worker(dask_scheduler: Any, address: str) -> None:
    await dask_scheduler.remove_worker(address=address, stimulus_id="daskml-dist-drop-worker", expected=True)


def _drop_copies(dask_scheduler: Any, copies: dict[str, list[Key]]) -> None:
    for worker, keys in copies.items():
        if worker not in dask_scheduler.workers:  # what it held is gone with it
            continue
        at, found = dask_scheduler.workers[worker], [dask_scheduler.tasks.get(key) for key in keys]
        held = [task for task in found if task is not None and at in (task.who_has or ())]
        twice = [task.key for task in held if len(task.who_has) > 1]
        if twice:
            dask_scheduler.request_remove_replicas(worker, twice, stimulus_id="daskml-dist-drop-copies")
