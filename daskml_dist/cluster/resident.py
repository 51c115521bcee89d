"""The blocks of a table in the memory of the workers: held, found, counted, and made anew when lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, final
from uuid import uuid4

from dask.typing import Key
from distributed import Client, Future, futures_of

from daskml_dist.cluster.recipes import block_keys, complaint, spans
from daskml_dist.cluster.scheduler_internals import blamed, drop_copies
from daskml_dist.cluster.supervisor import CURABLE, Stalled, Supervisor
from daskml_dist.cluster.tasks import rows_of
from daskml_dist.errors import ChunkUnreadable, DaskmlDistError
from daskml_dist.types import Table


@final
class Resident:
    """Futures of all blocks of a table.

    Parameters
    ----------
    client, supervisor : of the fit.
    table : lazy; ``persist`` leaves as it is what of it is on the workers already.
    workers : where blocks are to be made, if these live; None for anywhere.
    """

    def __init__(
        self, client: Client, supervisor: Supervisor, table: Table, workers: list[str] | None
    ) -> None:
        self.client, self.supervisor, self.table, self.workers = client, supervisor, table, workers
        self.blocks: dict[Key, Future[Any]] = {}
        self.keys: list[dict[str, Key]] = []
        self._sizes: tuple[float, ...] | None = None

    def persist(self) -> None:
        """Make all blocks resident and keep futures of them."""

        def persist() -> None:
            names = list(self.table.columns)
            held = self.client.persist(
                list(self.table.columns.values()),
                workers=self.workers,
                allow_other_workers=None if self.workers is None else True,
            )
            self.blocks = {future.key: future for future in futures_of(held)}
            self.keys = block_keys(replace(self.table, **dict(zip(names, held, strict=True))))
            del held
            try:
                self.supervisor.settle(list(self.blocks.values()))
            except (*CURABLE, Stalled, DaskmlDistError, OSError):
                raise
            except Exception as error:
                self._refuse_unreadable(error)

        try:
            self.supervisor.insist(persist, self._drop_broken, lambda: list(map(str, self.blocks)))
        except OSError as error:  # again and again
            self._refuse_unreadable(error)

    def columns(self, ids: Sequence[int]) -> tuple[tuple[str, ...], list[list[Future[Any]]]]:
        """The names of the columns, and for each of them its blocks of these chunks."""
        names = tuple(self.table.columns)
        return names, [[self.blocks[self.keys[i][name]] for i in ids] for name in names]

    def measure(self) -> tuple[int, ...]:
        """Rows of each chunk."""
        keys = self._first_keys()

        def count() -> list[int]:
            counts = self.client.map(
                rows_of, [self.blocks[key] for key in keys], key=f"daskml-dist-rows-{uuid4().hex}"
            )
            self.supervisor.settle(counts)
            return [self.supervisor.fetch(rows) for rows in counts]

        return tuple(self.supervisor.insist(count, self.restore, lambda: list(map(str, self.blocks))))

    def locations(self) -> tuple[str | None, ...]:
        """The worker that holds the largest block of each chunk."""
        keys = self._first_keys()
        who_has: Any = self.client.who_has([self.blocks[key] for key in keys])
        return tuple((who_has.get(key) or (None,))[0] for key in keys)

    def sizes(self) -> tuple[float, ...]:
        """Bytes of each chunk, as the workers weighed them; asked once."""
        if self._sizes is None:
            wanted = list(map(str, self.blocks))
            told: Any = self.client.nbytes(list(self.blocks), summary=False) if wanted else {}
            self._sizes = tuple(float(sum(told.get(key, 0) for key in keys.values())) for keys in self.keys)
        return self._sizes

    def drop(self, copies: Mapping[int, str]) -> None:
        """Let workers forget the blocks of chunks of which another worker has a copy."""
        by_worker: dict[str, list[Key]] = {}
        for chunk, worker in copies.items():
            by_worker.setdefault(worker, []).extend(self.keys[chunk].values())
        if by_worker:
            drop_copies(self.client, by_worker)

    def stayed(self, moved: Mapping[int, str]) -> set[int]:
        """Chunks of which a block is nowhere but on the worker that they were to leave."""
        blocks = [self.blocks[key] for chunk in moved for key in self.keys[chunk].values()]
        holders: Any = self.client.who_has(blocks)
        return {
            chunk
            for chunk, home in moved.items()
            if any(tuple(holders.get(key, ())) == (home,) for key in self.keys[chunk].values())
        }

    def restore(self, error: BaseException) -> None:
        """Make blocks anew that are lost."""
        self._drop_broken(error)
        if len(self.blocks) < sum(len(keys) for keys in self.keys):
            self.persist()

    def release(self) -> None:
        """Let go of all blocks, now, and not when the garbage collector comes by."""
        for future in self.blocks.values():
            future.release()
        self.blocks, self.keys = {}, []

    def _first_keys(self) -> list[Key]:
        return [next(iter(keys.values())) for keys in self.keys]

    def _refuse_unreadable(self, error: Exception) -> NoReturn:
        """Say which chunk cannot be computed; nothing is tried again."""
        rows = spans(self.table.chunks, len(self.keys))
        for i, keys in enumerate(self.keys):
            for name, key in keys.items():
                if self.blocks[key].status == "error":
                    told = complaint(i, name, rows[i], blamed(self.client, key), error)
                    raise ChunkUnreadable(told) from error
        raise error

    def _drop_broken(self, error: BaseException) -> None:
        """Let go of blocks that failed, so that the scheduler forgets them and makes them anew."""
        broken = [key for key, block in self.blocks.items() if block.status not in ("finished", "pending")]
        for key in broken:
            self.blocks.pop(key).release()  # the traceback of the error holds the future, too
        if broken:
            self.supervisor.workers()  # the client has let go of them when it answers this
