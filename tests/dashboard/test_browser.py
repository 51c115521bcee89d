"""The page in a real browser: what people see of fits that go on, end, fail, and are steered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

import dask.array as da
import pytest
from bokeh.models import ColumnDataSource
from distributed import Client, LocalCluster

from daskml_dist import train
from daskml_dist.dashboard import enable_controls, serve
from daskml_dist.dashboard.own_server import Server
from daskml_dist.dashboard.page import TICK, Page
from daskml_dist.dashboard.plugin import open_page
from daskml_dist.linear_model import LogisticRegression, PoissonRegressor
from daskml_dist.monitor import TOPIC, audience
from daskml_dist.optimizers import SGD
from daskml_dist.solvers import GradientDescent
from tests.dashboard import told

SHOTS = Path(__file__).resolve().parents[2] / "docs" / "_build" / "pages"
WIDTHS = (800, 1600)

#: the x values of the line of gaps, as the browser has them
GAPS = """() => {
  for (const model of Bokeh.documents[0].all_models)
    if (model.type == "ColumnDataSource" && "proven" in model.data) return Array.from(model.data.passes)
  return []
}"""


class Slowly:
    """A callback of scikit-learn that leaves the processor to the browser."""

    def setup(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None: ...

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        time.sleep(0.2)

    def teardown(self, estimator: Any, context: Any) -> None: ...


@contextmanager
def opened(browser: Any, address: str, width: int = 1600) -> Iterator[Any]:
    """A page, in which nothing may go wrong."""
    context = browser.new_context(viewport={"width": width, "height": 1000})
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    page.wait_for_function("window.Bokeh && Bokeh.documents.length > 0", timeout=60_000)
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def text_of(page: Any) -> str:
    """All that can be seen outside of canvases."""
    found: str = page.evaluate(
        "() => { const out = []; const walk = (n) => { if (n.shadowRoot) walk(n.shadowRoot);"
        " for (const c of n.childNodes) { if (c.nodeType == 3) out.push(c.data);"
        " else if (c.nodeType == 1 && !['STYLE', 'SCRIPT'].includes(c.tagName)"
        " && getComputedStyle(c).display != 'none') walk(c) } };"
        " walk(document.body); return out.join(' ') }"
    )
    return " ".join(found.split())


def until(page: Any, holds: Callable[[], bool], seconds: float = 90.0) -> float:
    """Wait for it; how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() < began + seconds, (page.evaluate(GAPS), text_of(page)[-1500:])
        page.wait_for_timeout(20)
    return time.monotonic() - began


def says(page: Any, *words: str) -> Callable[[], bool]:
    return lambda: all(word in text_of(page) for word in words)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fit of another test goes on in this process."""
    monkeypatch.setattr(audience, "_living", {})


def tell(server: Server, *messages: dict[str, Any]) -> None:
    for message in messages:
        audience.tell(message)
    assert server.store is not None


@pytest.fixture(scope="module")
def busy() -> Iterator[Client]:
    """A cluster of its own, whose dashboard has the page."""
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**options) as cluster, Client(cluster, set_as_default=False) as client:
        open_page(client)
        yield client


def address(client: Client) -> str:
    return client.dashboard_link.replace("/status", "/training")


def data(client: Client, n: int = 40_000) -> tuple[Any, Any]:
    rng = da.random.default_rng(0)
    X = rng.normal(size=(n, 10), chunks=(n // 8, 10))
    y = X[:, 0] - X[:, 1] + rng.logistic(size=n, chunks=n // 8) > 0
    return client.persist([X, y])


class InThread(Thread):
    """A fit that goes on."""

    def __init__(self, model: Any, X: Any, y: Any) -> None:
        super().__init__(daemon=True)
        self.model, self.X, self.y = model, X, y
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.model.fit(self.X, self.y)
        except BaseException as error:
            self.error = error


# ----------------------------------------------------------------------------------- a short one


def test_a_page_opens_shows_what_is_new_and_obeys_its_buttons(browser: Any) -> None:
    done: list[dict[str, Any]] = []
    with Server(0, "light", done.append) as server, opened(browser, server.address) as page:
        until(page, says(page, "No training yet"))
        tell(server, *told.everything("short"))
        until(page, says(page, "running", "LogisticRegression", "Proven to be within 3.2e-05"))
        assert page.evaluate(GAPS) == list(range(1, 10))
        tell(server, told.step(10, "short"))
        until(page, lambda: page.evaluate(GAPS)[-1] == 10)
        page.get_by_role("button", name="Stop and keep").click()
        until(page, lambda: len(done) == 1)
        assert done == [{"fit_id": "short", "command": "stop", "value": None}]
        until(page, says(page, "stopping", "stop , a command from the page"))
        tell(server, told.end("stopped", fit="short"))
        until(page, says(page, "stopped", "The model of that moment is kept"))
        assert not page.get_by_role("button", name="Stop and keep").is_visible()


# ------------------------------------------------------------------------------------ the others


@pytest.mark.browser
def test_all_points_of_a_real_fit_arrive(browser: Any, busy: Client, announced: None) -> None:
    X, y = data(busy)
    with opened(browser, address(busy)) as page:
        fit = InThread(LogisticRegression(solver="lbfgs", tol=1e-12, verbose=0, scheduler=busy), X, y)
        fit.start()
        until(page, lambda: len(page.evaluate(GAPS)) > 0)
        fit.join(60)
        assert fit.error is None
        until(page, lambda: page.evaluate(GAPS) == [row["passes"] for row in fit.model.history_])
        until(page, says(page, "finished", "of the optimum"))


@pytest.mark.browser
def test_points_arrive_within_a_second(
    browser: Any, busy: Client, announced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page looks four times a second, each look leaves nothing for the next one, and no point waits for
    another: that is asserted. How long it takes beside that is the machine's, and printed."""
    looks, waits = list[tuple[float, float]](), list[float]()
    honest = Page._update

    def looked(page: Page) -> None:
        honest(page)
        steps = page.view.store.fits["latency"].steps
        sources: Any = page.root.select({"type": ColumnDataSource})
        for source in (source for source in sources if "proven" in source.data):
            looks.append((steps.last("passes") or 0.0, [0.0, *source.data["passes"]][-1]))

    busy.log_event(TOPIC, told.begin("latency"))
    monkeypatch.setattr(Page, "_update", looked)
    with opened(browser, address(busy)) as page:
        for k in range(1, 22):
            began = time.monotonic()
            busy.log_event(TOPIC, told.step(k, "latency"))
            until(page, lambda k=k: page.evaluate(GAPS) == list(range(1, k + 1)))  # type: ignore[misc]
            waits.append(time.monotonic() - began)
            page.wait_for_timeout(37 * k % 250)  # at another moment between two looks
    busy.log_event(TOPIC, told.end(fit="latency"))
    assert TICK <= 250 and {shown for _, shown in looks} >= set(range(1, 22))
    assert all(shown == known for known, shown in looks)
    print(f"from log_event to the browser: median {median(waits):.2f} s, at most {max(waits):.2f} s")


@pytest.mark.browser
def test_buttons_reach_the_client_only_where_it_allows_them(browser: Any, busy: Client) -> None:
    done: list[dict[str, Any]] = []
    begun = told.begin("steered") | {"client": busy.id}
    audience.tell(begun)  # the fit is one of this process
    busy.log_event(TOPIC, [begun, told.step(1, "steered")])
    with opened(browser, address(busy)) as page:
        until(page, says(page, "running"))
        assert not page.get_by_role("button", name="Stop and keep").is_visible()
        enable_controls(busy, done.append)
        until(page, lambda: page.get_by_role("button", name="Stop and keep").is_visible())
        page.get_by_role("button", name="Pause").click()
        until(page, says(page, "paused", "pause , a command from the page"))
        page.get_by_role("button", name="Resume").click()
        until(page, says(page, "running", "resume , a command"))
        page.get_by_role("button", name="Set step size").click()
        until(page, says(page, "rate x 1"))
        page.get_by_role("button", name="Stop and keep").click()
        until(page, says(page, "stopping"))
    audience.tell(told.end("stopped", fit="steered"))
    busy.log_event(TOPIC, told.end("stopped", fit="steered"))
    assert [(one["command"], one["value"]) for one in done] == [
        ("pause", None),
        ("resume", None),
        ("rate", 1.0),
        ("stop", None),
    ]


@pytest.mark.browser
@pytest.mark.parametrize("where", ["cluster", "own server"])
def test_buttons_steer_a_real_run(where: str, browser: Any, busy: Client, announced: None) -> None:
    """Paused, gone on with, refused a rate, and stopped with the model kept."""
    X, y = data(busy)
    with ExitStack() as stack:
        if where == "cluster":
            enable_controls(busy)
            scheduler, there = busy, address(busy)
        else:
            X, y = busy.gather(busy.compute([X, y]))
            scheduler, there = "threads", stack.enter_context(serve(buttons=True)).address
        page = stack.enter_context(opened(browser, there))
        slow = GradientDescent(SGD(1e-4))
        model = LogisticRegression(solver=slow, max_iter=10**6, verbose=0, scheduler=scheduler)
        run = train(model.set_callbacks(Slowly()), X, y)
        until(page, lambda: page.get_by_role("button", name="Pause").is_visible())
        page.get_by_role("button", name="Pause").click()
        until(page, lambda: run.status == "paused" and run.model is not None)
        passes = run.model.n_passes_
        page.wait_for_timeout(300)
        assert run.model.n_passes_ <= passes + 1
        page.get_by_role("button", name="Resume").click()
        until(page, lambda: run.model.n_passes_ > passes + 3)
        page.get_by_role("button", name="Stop and keep").click()
        until(page, run.done)
        assert run.status == "stopped" and run.result().n_passes_ > passes
        until(page, says(page, "stopped", "The model of that moment is kept"))


@pytest.mark.browser
def test_two_browsers_and_two_fits_at_once(browser: Any, busy: Client, announced: None) -> None:
    X, y = data(busy)
    with opened(browser, address(busy)) as one, opened(browser, address(busy), 800) as other:
        fits = [
            InThread(
                PoissonRegressor(solver="lbfgs", tol=1e-10, verbose=0, scheduler=busy), X, y.astype(float)
            ),
            InThread(LogisticRegression(solver="lbfgs", tol=1e-10, verbose=0, scheduler=busy), X, y),
        ]
        for fit in fits:
            fit.start()
        until(one, says(one, "PoissonRegressor", "LogisticRegression"))  # in the list
        first = one.locator("select").first
        labels = [text for text in first.locator("option").all_inner_texts() if "PoissonRegressor" in text]
        first.select_option(label=labels[0])
        for fit in fits:
            fit.join(120)
            assert fit.error is None
        until(one, says(one, "PoissonRegressor", "finished"))
        until(other, says(other, "finished"))
        assert one.evaluate(GAPS) == [row["passes"] for row in fits[0].model.history_]


@pytest.mark.browser
def test_a_page_that_is_closed_does_not_disturb_the_fit(browser: Any, busy: Client, announced: None) -> None:
    X, y = data(busy)
    fit = InThread(LogisticRegression(solver="lbfgs", tol=1e-12, verbose=0, scheduler=busy), X, y)
    with opened(browser, address(busy)) as page:
        fit.start()
        until(page, lambda: len(page.evaluate(GAPS)) > 0)
    fit.join(120)
    assert fit.error is None and fit.model.gap_ <= 1e-12
    with opened(browser, address(busy)) as page:
        until(page, lambda: page.evaluate(GAPS) == [row["passes"] for row in fit.model.history_])


@pytest.mark.browser
def test_jupyterlab_panes_show_the_newest_fit(browser: Any, busy: Client) -> None:
    busy.log_event(TOPIC, told.everything("pane"))
    for name in ("gap", "lanes", "coefficients", "groups"):
        with opened(browser, address(busy).replace("training", f"individual-training-{name}"), 500) as page:
            page.wait_for_timeout(800)
            assert "nothing to show yet" not in page.evaluate("document.body.innerText")
            SHOTS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SHOTS / f"pane-{name}.png")
    busy.log_event(TOPIC, told.end(fit="pane"))


def states() -> dict[str, list[dict[str, Any]]]:
    """A fit in each state, and the largest that a page must bear."""
    many = [told.begin(), told.placed(200)]
    many += [told.step(k, gap=1.0 / k) for k in range(1, 10_001)]
    many += [told.work(k, 200, slow=77) for k in range(1, 30)] + [told.coefficients(k) for k in range(1, 30)]
    return {
        "empty": [],
        "running": told.everything(),
        "finished": [*told.everything(), told.end()],
        "failed": [
            told.begin(),
            told.step(1),
            told.end("failed", message="ClusterGaveUp: <b>no</b> workers & more"),
        ],
        "stopped": [*told.everything(), told.control("stop"), told.end("stopped")],
        "many": many,
    }


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", list(states()))
def test_each_state_fits_on_narrow_and_wide_screens(browser: Any, state: str, theme: Any) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    with serve(theme=theme) as server, opened(browser, server.address) as page:
        for message in states()[state]:
            audience.tell(message)
        until(page, says(page, {"empty": "No training yet", "many": "running"}.get(state, state)))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 1000})
            page.wait_for_timeout(700)
            until(page, lambda: page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0)
            page.screenshot(path=SHOTS / f"{state}-{theme}-{width}.png", full_page=True)
        if state == "many":
            assert len(page.evaluate(GAPS)) <= 5000


@pytest.mark.browser
def test_ten_thousand_steps_and_200_workers_stay_smooth(browser: Any) -> None:
    with serve() as server, opened(browser, server.address) as page:
        for message in states()["many"]:
            audience.tell(message)
        until(page, lambda: page.evaluate(GAPS)[-1:] == [10_000])
        ticks, over = [], Event()

        def on_loop() -> None:
            ticks.append(time.monotonic())
            if not over.is_set():
                server.loop.call_later(0.01, on_loop)

        server.loop.add_callback(on_loop)
        for k in range(10_001, 10_101):
            audience.tell(told.step(k, gap=1.0 / k))
            page.wait_for_timeout(20)
        until(page, lambda: page.evaluate(GAPS)[-1:] == [10_100])
        over.set()
        longest = max(b - a for a, b in zip(ticks[:-1], ticks[1:], strict=True))
        print(f"the loop of the server was held for {1e3 * longest:.0f} ms at most")
