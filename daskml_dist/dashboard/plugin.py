"""What lives on the scheduler: it hears every fit of the cluster, keeps it, and shows it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, final

from distributed import Client
from distributed.diagnostics.plugin import SchedulerPlugin

from daskml_dist.dashboard.fit import Fit
from daskml_dist.dashboard.store import Store, sensible
from daskml_dist.dashboard.view import Memory, View
from daskml_dist.monitor import TOPIC, messages

#: clicks on the page, on their way to the client that has the fit
CONTROL = "daskml_dist.control"

#: clients that allow them
ALLOWED = "daskml_dist.controls_allowed"

_PREFIX = "daskml_dist-training-"


def open_page(client: Client) -> None:
    """Let the scheduler of a client have the pages; nothing where it has them already.

    This is what the package announces at the entry point ``daskml_dist.pages``.
    """
    client.register_plugin(TrainingPages())


@final
class TrainingPages(SchedulerPlugin):
    """A store of fits, fed by what is logged on the topic of trainings, and pages of it.

    It is registered once for each version of this library; a newer one takes over what an older one knows.
    Where the scheduler has no dashboard it keeps the fits all the same.
    """

    idempotent = True

    def __init__(self) -> None:
        self.name = _PREFIX + _version()

    async def start(self, scheduler: Any) -> None:
        """Take over, hear what was said before, and add the pages."""
        self.scheduler, self.store = scheduler, Store()
        self.allowed: set[str] = set()
        self.unmount: Callable[[], None] | None = None
        before = [name for name in scheduler.plugins if name.startswith(_PREFIX)]
        for name in before:
            older: TrainingPages = scheduler.plugins[name]
            self.store.fits |= older.store.fits
            self.allowed |= older.allowed
            older.leave()
            scheduler.remove_plugin(name)
        if not before:
            self.store.take(list(messages(scheduler.get_events(TOPIC))))
        # bokeh is imported where it is needed only
        from daskml_dist.dashboard.dask_page import mount

        self.unmount = mount(scheduler, _OnScheduler(scheduler, self.name))

    async def close(self) -> None:
        self.leave()

    def leave(self) -> None:
        """Take the pages away."""
        if self.unmount is not None:
            self.unmount()
            self.unmount = None

    def log_event(self, topic: str, msg: Any) -> None:
        if topic == TOPIC:
            self.store.take(msg)
        elif topic == ALLOWED and isinstance(msg, str):
            self.allowed.add(msg)

    def remove_client(self, scheduler: Any, client: str) -> None:
        self.allowed.discard(client)
        self.store.lose(client)


@final
class _OnScheduler(View):
    """What the plugin of this name knows; it is looked up each time."""

    def __init__(self, scheduler: Any, name: str) -> None:
        self.scheduler, self.name = scheduler, name
        self._nothing = Store()

    @property
    def _plugin(self) -> TrainingPages | None:
        found: TrainingPages | None = self.scheduler.plugins.get(self.name)
        return found

    @property
    def store(self) -> Store:
        return self._nothing if self._plugin is None else self._plugin.store

    def memory(self) -> list[Memory]:
        return [
            Memory(worker.address, int(worker.memory.process), int(worker.memory_limit or 0))
            for worker in self.scheduler.workers.values()
        ]

    def steerable(self, fit: Fit) -> bool:
        return self._plugin is not None and fit.client in self._plugin.allowed

    def steer(self, fit_id: str, command: str, value: float | None = None) -> None:
        fit = self.store.fits.get(fit_id)
        message = {"fit_id": fit_id, "command": command, "value": value}
        if fit is not None and not fit.over and self.steerable(fit) and sensible(message):
            self.scheduler.log_event(CONTROL, message)


def _version() -> str:
    try:
        return version("daskml_dist")
    except PackageNotFoundError:  # a source tree on the path
        return "source"
