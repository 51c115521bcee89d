"""Tables of labels and groups cut into chunks, and how rules put their rows into folds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from daskml_dist.splits import Asks, Folds, Split, Tally


@dataclass(frozen=True, eq=False)
class Rows:
    """Labels and groups of n rows, and where they are cut into chunks."""

    y: np.ndarray
    groups: np.ndarray
    cuts: tuple[int, ...] = ()

    @cached_property
    def chunks(self) -> list[np.ndarray]:
        """The positions of the rows of each chunk."""
        return np.split(np.arange(len(self.y)), self.cuts)

    def cut(self, *cuts: int) -> Rows:
        return replace(self, cuts=cuts)

    def tally(self, rule: Split) -> Tally:
        """What the rule asks for."""
        return counted(self, rule.asks)

    def of_chunk(self, folds: Folds, chunk: int) -> np.ndarray:
        rows = self.chunks[chunk]
        return folds.of(chunk, len(rows), self.y[rows], self.groups[rows])

    def folds(self, rule: Split) -> tuple[Folds, np.ndarray]:
        """The settled rule, and the fold of each row."""
        settled = rule.settle(self.tally(rule))
        return settled, np.concatenate([self.of_chunk(settled, i) for i in range(len(self.cuts) + 1)])


@cache
def counted(table: Rows, asks: Asks) -> Tally:
    """Rows, labels or groups, counted the slow way."""
    chunks = [chunk.tolist() for chunk in table.chunks]
    if asks == "rows":
        return Tally(np.array([[len(chunk)] for chunk in chunks]))
    if asks == "groups":
        values = sorted(set(table.groups.tolist()))
        counts = [[table.groups.tolist().count(value) for value in values]]
        return Tally(np.array(counts, ndmin=2), np.array(values, dtype=table.groups.dtype))
    labels = table.y.tolist()
    values = list(dict.fromkeys(labels))  # in order of appearance
    counts = [[[labels[i] for i in chunk].count(value) for value in values] for chunk in chunks]
    return Tally(np.array(counts), np.array(values, dtype=table.y.dtype))


def made(n: int, classes: int = 3, groups: int = 9, seed: int = 0) -> Rows:
    """Random labels and groups, numbered in no particular order."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(100)
    return Rows(names[rng.integers(0, classes, n)], names[rng.integers(0, groups, n)])


def words(rows: Rows) -> Rows:
    """The same rows, labels and groups as strings."""
    return replace(rows, y=rows.y.astype(str), groups=rows.groups.astype(str).astype(object))


#: one chunk, empty and one-row chunks, chunks without some of the classes, one row a chunk
CUTS: list[tuple[int, ...]] = [(), (0, 0, 1, 2, 2, 17), (40, 44, 60), tuple(range(1, 61)), (61, 61)]

TABLES: dict[str, Rows] = {
    "random": made(61),
    "sorted": replace(made(61), y=np.sort(made(61).y), groups=np.sort(made(61).groups)),
    "words": words(made(61)),
    "many classes": made(61, classes=12, groups=30),
    "rare class": replace(made(61), y=np.array([1] + [0] * 60)),
    "fractions of groups": replace(made(61), groups=made(61).groups / 4 - 3),
}
