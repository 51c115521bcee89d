"""Rows that arrive one by one, thinned before they become too many."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, final


@final
class Series:
    """Columns of equal length, in the order of one of them.

    Whenever there are ``most`` rows, each four neighbours become two: those in which ``key`` is lowest and
    highest. So extremes stay, the newest rows are the densest, and a row costs a constant time on average.

    Parameters
    ----------
    columns : their names.
    order : the column by which rows are sorted.
    key : the column whose extremes stay.
    most : how many rows there may be, at least 8.

    Attributes
    ----------
    columns : the values of each.
    generation : how often something else than new rows at the end has changed.

    Examples
    --------
    >>> series = Series(("passes", "gap"), "passes", "gap")
    >>> series.add({"passes": 1, "gap": 0.5})
    >>> series.add({"passes": 2, "gap": 0.25})
    >>> series.columns["gap"]
    [0.5, 0.25]
    """

    def __init__(self, columns: Sequence[str], order: str, key: str, most: int = 5000) -> None:
        self.columns: dict[str, list[Any]] = {name: [] for name in columns}
        self.order, self.key, self.most = order, key, most
        self.generation = 0

    def __len__(self) -> int:
        return len(self.columns[self.order])

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row; one that comes late goes where it belongs."""
        order = self.columns[self.order]
        place = len(order)
        if order and row[self.order] < order[-1]:
            place = bisect_right(order, row[self.order])
            self.generation += 1
        for name, values in self.columns.items():
            values.insert(place, row[name])
        if len(order) >= self.most:
            self._thin()

    def last(self, name: str) -> Any:
        """The newest value of a column, or None."""
        values = self.columns[name]
        return values[-1] if values else None

    def _thin(self) -> None:
        keys, kept = self.columns[self.key], list[int]()
        whole = len(keys) - len(keys) % 4
        for start in range(0, whole, 4):
            four = range(start, start + 4)
            two = {min(four, key=keys.__getitem__), max(four, key=keys.__getitem__)}
            kept += sorted(two if len(two) == 2 else (start, start + 3))
        kept += range(whole, len(keys))
        kept[-1] = len(keys) - 1  # the newest row stays
        for name, values in self.columns.items():
            self.columns[name] = [values[i] for i in kept]
        self.generation += 1
