"""From the rows of a series to the source of a picture: only what is new travels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
from bokeh.models import ColumnDataSource

from daskml_dist.dashboard.series import Series

Columns = Mapping[str, Sequence[Any]]


@final
class Feed:
    """Follows one series after another.

    Parameters
    ----------
    shown : makes columns of the source from columns of the series, row by row.

    Attributes
    ----------
    source : what pictures look at.
    """

    def __init__(self, shown: Callable[[Columns], dict[str, Any]], columns: Sequence[str]) -> None:
        self._shown = shown
        self._empty = shown({name: [] for name in columns})
        self.source = ColumnDataSource(self._empty)
        self._following: tuple[int, int] = (0, -1)
        self._series: Series | None = None
        self._count = 0

    def update(self, series: Series) -> bool:
        """Show what is new; whether there was anything."""
        now = (id(series), series.generation)
        if now != self._following or len(series) < self._count:
            self._series, self._following, self._count = series, now, len(series)  # keeps the id alive
            self.source.data = self._shown(series.columns)
            return True
        if len(series) == self._count:
            return False
        new = {name: values[self._count :] for name, values in series.columns.items()}
        self._count = len(series)
        self.source.stream(self._shown(new))
        return True


def positive(values: Sequence[float]) -> Any:
    """What a logarithmic axis can show: NaN in place of what is not finite or not above zero."""
    found = np.array(values, dtype=np.float64)
    found[~(np.isfinite(found) & (found > 0.0))] = np.nan
    return found


def numbers(values: Sequence[float]) -> Any:
    """The same with NaN in place of what is not finite."""
    found = np.array(values, dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    return found
