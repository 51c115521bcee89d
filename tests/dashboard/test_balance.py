"""The picture of the balance shows the numbers of the report."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from bokeh.embed import file_html
from bokeh.models import VBar
from bokeh.resources import INLINE

from daskml_dist import balance
from daskml_dist.dashboard import plot_balance


def bars(plot: object) -> list[tuple[np.ndarray, np.ndarray]]:
    """Bottom and top of each layer of bars."""
    found = []
    for renderer in plot.renderers:  # type: ignore[attr-defined]
        if isinstance(renderer.glyph, VBar):
            data, glyph = renderer.data_source.data, renderer.glyph
            ends = [
                sum(np.asarray(data[name]) for name in end.expr.fields) for end in (glyph.bottom, glyph.top)
            ]
            found.append((np.broadcast_to(ends[0], 3), ends[1]))
    return found


def test_classes_are_stacked_to_the_rows() -> None:
    X, y = da.ones((12, 2), chunks=((6, 2, 4), 2)), da.from_array(np.arange(12) % 3, chunks=((6, 2, 4),))
    found = balance(X, y)
    assert found.counts is not None
    plot = plot_balance(found)
    for k, (bottom, top) in enumerate(bars(plot)):
        np.testing.assert_array_equal(bottom, found.counts[:, :k].sum(axis=1))
        np.testing.assert_array_equal(top, found.counts[:, : k + 1].sum(axis=1))
    assert plot.x_range.factors == ["0", "1", "2"]
    assert "1.50 times the mean" in plot.title.text
    assert plot.legend[0].visible


@pytest.mark.parametrize("classes", [1, 9, 40])
def test_any_number_of_classes_has_colours_and_becomes_a_page(classes: int) -> None:
    y = np.arange(80) % classes
    plot = plot_balance(balance(np.ones((80, 1)), y))
    colours = {renderer.glyph.fill_color for renderer in plot.renderers if isinstance(renderer.glyph, VBar)}
    assert len(colours) == classes
    assert "class 0" in file_html(plot, INLINE)


def test_rows_alone_need_no_legend() -> None:
    plot = plot_balance(balance(da.ones((9, 1), chunks=3)))
    [(_, top)] = bars(plot)
    np.testing.assert_array_equal(top, [3, 3, 3])
    assert not plot.legend[0].visible
