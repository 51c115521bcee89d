"""Each panel: shows what was told, is updated by what is new alone, and is quiet about what there is not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource

from daskml_dist.dashboard.page import Page, Single
from daskml_dist.dashboard.panels import PANELS, Panel
from daskml_dist.dashboard.panels.lanes import stragglers
from daskml_dist.dashboard.store import Store
from daskml_dist.dashboard.view import Memory, View
from tests.dashboard import told


class Looked(View):
    """A view of a store, that remembers commands."""

    def __init__(self, *messages: Any, workers: int = 2, steerable: bool = False) -> None:
        self._store, self.workers, self._steerable = Store(), workers, steerable
        self._store.take(list(messages))
        self.sent: list[tuple[str, str, float | None]] = []

    @property
    def store(self) -> Store:
        return self._store

    def memory(self) -> list[Memory]:
        return [Memory(name, 10**9 * (i % 9), 8 * 10**9) for i, name in enumerate(told.workers(self.workers))]

    def steerable(self, fit: Any) -> bool:
        return self._steerable

    def steer(self, fit_id: str, command: str, value: float | None = None) -> None:
        self.sent.append((fit_id, command, value))


def sources(panel: Panel) -> list[Any]:
    found = panel.root.select({"type": ColumnDataSource})
    return [source for source in found if len(source.column_names) > 0]


def lengths(panel: Panel) -> list[int]:
    return [max((len(values) for values in source.data.values()), default=0) for source in sources(panel)]


@pytest.mark.parametrize("kind", PANELS, ids=lambda kind: kind.name)
def test_every_panel_shows_something_and_needs_no_more_for_nothing_new(kind: type[Panel]) -> None:
    view = Looked(*told.everything())
    panel, fit = kind(view.memory), view.store.fits["fit-1"]
    assert panel.update(fit) is True
    before = {source.id: source.data for source in sources(panel)}
    assert panel.update(fit) is True
    if kind.name != "memory":  # which looks anew each second
        assert all(source.data is before[source.id] for source in sources(panel))
    for axis in ("seconds", "passes"):
        panel.along(axis)  # type: ignore[arg-type]
    document = Document()
    document.add_root(panel.root)
    json.dumps(document.to_json(), default=str)


@pytest.mark.parametrize(
    "kind", [kind for kind in PANELS if kind.name != "memory"], ids=lambda kind: kind.name
)
def test_every_panel_says_that_there_is_nothing(kind: type[Panel]) -> None:
    view = Looked(told.begin())
    assert kind(view.memory).update(view.store.fits["fit-1"]) is False


@pytest.mark.parametrize("kind", PANELS, ids=lambda kind: kind.name)
def test_every_panel_turns_to_another_fit_and_back(kind: type[Panel]) -> None:
    view = Looked(*told.everything(), *told.everything("other")[:20])
    panel = kind(view.memory)
    panel.update(view.store.fits["fit-1"])
    first = lengths(panel)
    panel.update(view.store.fits["other"])
    panel.update(view.store.fits["fit-1"])
    assert lengths(panel) == first


def test_new_rows_are_streamed_and_no_others() -> None:
    view = Looked(*told.everything())
    [gap] = [kind(view.memory) for kind in PANELS if kind.name == "gap"]
    gap.update(view.store.fits["fit-1"])
    streamed: list[int] = []
    source = next(source for source in sources(gap) if "proven" in source.data)
    source.on_change("data", lambda attr, old, new: streamed.append(len(new["passes"])))
    view.store.take([told.step(10), told.step(11, gap_kind="estimate")])
    held = source.data
    gap.update(view.store.fits["fit-1"])
    assert source.data is held and list(source.data["passes"]) == list(range(1, 12))
    assert np.isnan(source.data["proven"][-1]) and source.data["estimate"][-1] == 10.0**-5.5
    assert np.isnan(source.data["estimate"][-2])


def test_a_logarithmic_axis_gets_no_zero_and_nothing_infinite() -> None:
    view = Looked(told.begin(), told.step(1, gap=float("inf"), gradient_norm=0.0), told.step(2, gap=0.5))
    [gap] = [kind(view.memory) for kind in PANELS if kind.name == "gap"]
    assert gap.update(view.store.fits["fit-1"])
    [source] = [source for source in sources(gap) if "proven" in source.data]
    np.testing.assert_array_equal(source.data["gap"], [np.nan, 0.5])


def test_only_proven_gaps_make_a_band_for_the_minimum() -> None:
    steps = [told.step(1, gap=0.5, objective=2.0), told.step(2, gap=0.5, objective=1.0, gap_kind="estimate")]
    view = Looked(told.begin(), *steps, told.step(3, gap=7.0, objective=1.0))
    [loss] = [kind(view.memory) for kind in PANELS if kind.name == "loss"]
    assert loss.update(view.store.fits["fit-1"])
    [source] = [source for source in sources(loss) if "bound" in source.data]
    np.testing.assert_array_equal(source.data["bound"], [1.0, 1.0, 1.0])


def test_coefficients_keep_their_lines_while_others_come_and_go() -> None:
    view = Looked(told.begin(), told.coefficients(1, 20))
    [panel] = [kind(view.memory) for kind in PANELS if kind.name == "coefficients"]
    fit = view.store.fits["fit-1"]
    panel.update(fit)
    names = [f"x{j}" for j in range(19)] + ["new"]
    view.store.take(told.coefficients(2, names=[*names[::-1], "x19"], values=[9.0] * 21))
    panel.update(fit)
    found: Any = panel
    labels = [item.label.value for item in found.items]
    assert labels == [f"x{j}" for j in range(19)] + ["new"]
    [source] = [source for source in sources(panel) if "c0" in source.data]
    assert np.isnan(source.data["c19"][0]) and source.data["c19"][1] == 9.0


def intervals(*messages: Any) -> tuple[Any, dict[str, Any]]:
    """The panel of coefficients, and its whiskers by name."""
    view = Looked(told.begin(), *messages)
    [panel] = [kind(view.memory) for kind in PANELS if kind.name == "coefficients"]
    assert panel.update(view.store.fits["fit-1"])
    found: Any = panel
    data = found.now.data
    ends = zip(data["low"], data["high"], data["bottom"], data["top"], strict=True)
    return found, dict(zip(data["name"], ends, strict=True))


def test_whiskers_are_intervals_of_95_percent_of_the_last_pass_that_tells() -> None:
    first = told.coefficients(1, 2, values=[1.0, -2.0], errors=[0.5, 0.25])
    last = told.coefficients(2, 2, values=[1.5, -1.0], errors=[0.1, 0.2], source="Hessian of a sample")
    for messages in ([first, last], [last, first]):  # one of them comes late
        panel, ends = intervals(*messages)
        assert ends["x0"][:2] == pytest.approx((1.5 - 0.196, 1.5 + 0.196))
        assert ends["x1"] == pytest.approx((-1.392, -0.608, -1.392, -0.608))
        assert panel.note.text == "95 % intervals: Hessian of a sample"


def test_fits_of_before_intervals_are_shown_and_say_that_there_are_none() -> None:
    old = {name: entry for name, entry in told.coefficients(1).items() if name not in ("errors", "source")}
    panel, ends = intervals(old)
    assert panel.note.text == "no intervals: not told" and len(ends) == 20
    assert np.isnan([end for each in ends.values() for end in each]).all()
    panel, ends = intervals(told.coefficients(1, errors=[], source="the solver has no Hessian"))
    assert panel.note.text == "no intervals: the solver has no Hessian"
    assert np.isfinite(panel.now.data["value"]).all()


def test_an_interval_that_is_far_too_wide_leaves_the_lines_readable() -> None:
    _, ends = intervals(told.coefficients(1, 2, values=[1.0, -2.0], errors=[1e9, 0.1]))
    low, high, bottom, top = ends["x0"]
    assert high == pytest.approx(1.96e9) and low == pytest.approx(-1.96e9)
    assert (bottom, top) == (-5.0, 4.0)  # the range of 3 beyond both ends of it
    assert ends["x1"][2:] == ends["x1"][:2]


def test_more_errors_than_coefficients_are_refused() -> None:
    view = Looked(told.begin(), told.coefficients(1, 2, errors=[0.1] * 3))
    assert len(view.store.fits["fit-1"].told) == 0


@pytest.mark.parametrize("workers", [8, 100, 101, 1000])
def test_many_workers_become_a_histogram_and_the_worst_five(workers: int) -> None:
    messages = [
        told.begin(),
        told.placed(workers),
        told.work(1, workers, slow=3),
        told.work(2, workers, slow=3),
    ]
    view = Looked(*messages, workers=workers)
    [panel] = [kind(view.memory) for kind in PANELS if kind.name == "lanes"]
    assert panel.update(view.store.fits["fit-1"])
    found: Any = panel
    assert found.many.visible is (workers > 100) and found.lanes.visible is (workers <= 100)
    if workers > 100:
        assert sum(found.bins.data["top"]) == workers and "2.2 x the median" in found.note.text
    else:
        assert np.isfinite(found.source.data["slow"]).sum() == 1


def test_stragglers_compute_far_longer_than_the_median() -> None:
    assert stragglers({"a": 1.0, "b": 1.0, "c": 1.6}) == {"c": 1.6}
    assert stragglers({"a": 1.0}) == {} and stragglers({"a": 0.0, "b": 0.0}) == {}


# ------------------------------------------------------------------------------------- the page


def settle(page: Page) -> None:
    """Update it as often as it takes until all panels are made."""
    for _ in PANELS:
        page.update()


def visible(page: Page) -> set[str]:
    return {panel.name for panel in page.panels if panel.root.visible}


def shown(messages: Sequence[Any], **options: Any) -> tuple[Page, Looked]:
    view = Looked(*messages, **options)
    page = Page(view)
    settle(page)
    return page, view


def test_nodes_that_tell_no_times_have_no_lanes() -> None:
    work = [told.work(k, busy=[0.001] * 8, slowest=0.001) for k in (1, 2)]
    messages = [told.begin(), told.placed(), told.step(1), told.step(2), *work]
    assert "lanes" in visible(shown(messages)[0])
    assert "lanes" not in visible(shown([*messages, told.stale()])[0])


def test_a_page_without_fits_says_how_to_get_some() -> None:
    page, view = shown([])
    assert page.empty.visible and not page.body.visible and "No training yet" in page.empty.text
    view.store.take(told.begin())
    settle(page)
    assert not page.empty.visible and page.body.visible and visible(page) == {"memory"}


def test_a_page_shows_what_there_is() -> None:
    page, view = shown(told.everything())
    assert visible(page) == {kind.name for kind in PANELS}
    view.store.take(told.end())
    page.update()
    assert "finished" in page.header.state.text and "Proven to be within" in page.header.verdict.text


def test_names_from_users_are_no_markup() -> None:
    nasty = "<script>alert(1)</script>"
    messages = [told.begin(estimator=nasty), told.step(1), told.decision(why=nasty, kind=nasty, target=nasty)]
    page, _ = shown([*messages, told.end("failed", message=nasty)])
    decisions: Any = next(panel for panel in page.panels if panel.name == "decisions")
    for text in (page.header.state.text, page.header.verdict.text, decisions.root.text):
        assert "<script" not in text and "&lt;script" in text


def test_a_panel_that_fails_is_hidden_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    page, view = shown(told.everything())

    def broken(fit: Any) -> bool:
        raise ZeroDivisionError("no paper")

    page.panels[0].update = broken  # type: ignore[method-assign]
    view.store.take(told.step(10))
    page.update()
    assert visible(page) == {kind.name for kind in PANELS[1:]}
    view.store.take(told.step(11))
    page.update()
    assert len(caplog.records) == 1 and "'gap'" in caplog.text


def test_buttons_are_there_only_where_they_are_allowed() -> None:
    page, view = shown(told.everything())
    assert not page.header.controls.visible
    page, view = shown(told.everything(), steerable=True)
    assert page.header.controls.visible
    page.header._send("stop")
    page.header.factor.value = 0.5
    page.header._send("rate", 0.5)
    assert view.sent == [("fit-1", "stop", None), ("fit-1", "rate", 0.5)]
    view.store.take(told.control("pause"))
    page.update()
    assert page.header.pause.label == "Resume"
    view.store.take(told.end())
    page.update()
    assert not page.header.controls.visible


def test_a_fit_stays_chosen_when_another_begins() -> None:
    page, view = shown(told.everything())
    page.header.select.value = "fit-1"
    view.store.take(told.begin("other"))
    page.update()
    assert "LogisticRegression" in page.header.state.text and page._seen[0] == "fit-1"
    page.header.select.value = ""
    assert page._seen[0] == "other"


@pytest.mark.parametrize("kind", PANELS, ids=lambda kind: kind.name)
def test_each_panel_has_a_page_of_its_own(kind: type[Panel]) -> None:
    view = Looked()
    single = Single(view, kind)
    single.update()
    assert single.nothing.visible
    view.store.take(told.everything())
    single.update()
    assert single.panel.root.visible and not single.nothing.visible
