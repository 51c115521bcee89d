"""The page on Dask's dashboard: what is used of Dask, and what becomes of it on all kinds of schedulers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import pytest
from bokeh.server.tornado import BokehTornado
from distributed import Client, LocalCluster
from distributed.dashboard.components.scheduler import BOKEH_THEME, env
from distributed.http.scheduler.info import IndividualPlots

from daskml_dist.dashboard.panels import PANELS
from daskml_dist.dashboard.plugin import TrainingPages, open_page
from daskml_dist.linear_model import LogisticRegression
from daskml_dist.monitor import TOPIC
from tests.dashboard import told

ROOT = Path(__file__).resolve().parents[2]


def fetched(client: Client, path: str) -> str:
    base = client.dashboard_link.rsplit("/", 1)[0]
    with urllib.request.urlopen(base + path, timeout=30) as reply:
        text: str = reply.read().decode()
        return text


def plugins(dask_scheduler: Any) -> list[str]:
    return [name for name in dask_scheduler.plugins if name.startswith("daskml_dist-training-")]


def seen(dask_scheduler: Any) -> dict[str, str]:
    """State of each fit."""
    plugin = dask_scheduler.plugins[plugins(dask_scheduler)[0]]
    return {fit_id: fit.state for fit_id, fit in plugin.store.fits.items()}


def applications(dask_scheduler: Any) -> int:
    found = dask_scheduler.http_application.applications
    return sum(isinstance(app, BokehTornado) and "/training" in app.app_paths for app in found)


def until(done: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_what_dask_does_not_document_is_still_there(client: Client) -> None:
    def check(dask_scheduler: Any) -> bool:
        from distributed.dashboard.scheduler import template_variables  # what it remembers does not travel

        http = dask_scheduler.http_application
        main = next(app for app in http.applications if isinstance(app, BokehTornado))
        variables = template_variables(dask_scheduler)
        assert main.prefix == "" and callable(http.add_application) and callable(http.add_handlers)
        assert variables is template_variables(dask_scheduler)  # memoized: the lists that pages look at
        assert {"url", "name"} <= set(variables["plots"][0]) and "tasks" in variables["pages"]
        return True

    assert client.run_on_scheduler(check)
    assert issubclass(IndividualPlots, object) and callable(IndividualPlots.get)
    assert env.get_template("simple.html") is not None and BOKEH_THEME is not None


def test_the_pages_are_served_and_listed_once(client: Client) -> None:
    open_page(client)
    open_page(client)
    assert client.run_on_scheduler(applications) == 1 and len(client.run_on_scheduler(plugins)) == 1
    assert "Bokeh.safely" in fetched(client, "/training")
    listed = json.loads(fetched(client, "/individual-plots.json"))
    for panel in PANELS:
        assert f"/individual-training-{panel.name}" in listed.values()
    assert "Training, Workers" in fetched(client, "/individual-training-lanes")
    assert "/individual-task-stream" in listed.values()  # Dask's own
    assert "Individual Cluster Map" in listed
    status = fetched(client, "/status")
    assert status.count('<a href="training">Training</a>') == 1
    assert status.count('href="individual-training-gap"') == 1


def test_a_fit_is_heard_from_its_beginning_to_its_end(client: Client, announced: None) -> None:
    rng = da.random.default_rng(0)
    X = rng.normal(size=(4000, 5), chunks=(1000, 5))
    y = X[:, 0] + rng.logistic(size=4000, chunks=1000) > 0

    def of_it(dask_scheduler: Any) -> dict[str, Any]:
        fit = dask_scheduler.plugins[plugins(dask_scheduler)[0]].store.newest()
        told = {"names": set(fit.told.last("named")), "busy": len(fit.recent[-1]["each"])}
        return told | {"gaps": fit.steps.columns["gap"], "rows": sum(fit.layout["rows"]), "state": fit.state}

    model = LogisticRegression(solver="lbfgs", verbose=0).fit(X, y)
    assert until(lambda: "running" not in client.run_on_scheduler(seen).values())
    found = client.run_on_scheduler(of_it)
    assert found["gaps"] == [row["gap"] for row in model.history_]
    assert found["names"] == {f"x{j}" for j in range(5)} and found["busy"] >= 1
    assert (found["rows"], found["state"]) == (4000, "finished")


def test_another_version_takes_over(client: Client) -> None:
    open_page(client)
    client.log_event(TOPIC, told.begin("kept"))
    newer = TrainingPages()
    newer.name = "daskml_dist-training-newer"
    try:
        client.register_plugin(newer)
        assert client.run_on_scheduler(plugins) == [newer.name]
        assert client.run_on_scheduler(applications) == 1
        assert client.run_on_scheduler(seen)["kept"] == "running"
        assert "Bokeh.safely" in fetched(client, "/training")
    finally:
        open_page(client)
        client.log_event(TOPIC, told.end(fit="kept"))
    assert client.run_on_scheduler(plugins) != [newer.name]


def test_what_was_said_before_the_page_was_there_is_shown_too(client: Client) -> None:
    def forget(dask_scheduler: Any) -> None:
        for name in plugins(dask_scheduler):
            dask_scheduler.plugins[name].leave()
            dask_scheduler.remove_plugin(name)

    client.run_on_scheduler(forget)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetched(client, "/training")
    client.log_event(TOPIC, told.begin("earlier"))
    client.log_event(TOPIC, [told.step(1, "earlier"), told.end(fit="earlier")])
    open_page(client)
    assert client.run_on_scheduler(seen)["earlier"] == "finished"


def test_the_fits_of_a_client_that_leaves_are_lost(client: Client) -> None:
    open_page(client)
    with Client(client.scheduler.address, set_as_default=False) as other:
        other.log_event(TOPIC, told.begin("orphan") | {"client": other.id})
        assert client.run_on_scheduler(seen)["orphan"] == "running"
    assert until(lambda: client.run_on_scheduler(seen)["orphan"] == "lost")


def test_without_a_dashboard_fits_are_kept_and_nobody_is_warned() -> None:
    options: dict[str, Any] = {"n_workers": 0, "processes": False, "dashboard_address": ":0"}
    options["scheduler_kwargs"] = {"dashboard": False}
    with LocalCluster(**options) as cluster, Client(cluster, set_as_default=False) as client:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            open_page(client)
        client.log_event(TOPIC, told.begin("quiet"))
        assert client.run_on_scheduler(seen) == {"quiet": "running"}


@pytest.mark.slow
def test_a_scheduler_in_a_process_of_its_own_with_a_prefix(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    started = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    more = [
        "--dashboard-address",
        "127.0.0.1:0",
        "--dashboard-prefix",
        "/user/me",
        "--scheduler-file",
        str(file),
    ]
    with subprocess.Popen([*started, *more], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            assert until(file.exists, 60)
            with Client(scheduler_file=str(file), set_as_default=False) as client:
                open_page(client)
                port = client.scheduler_info(n_workers=0)["services"]["dashboard"]
                base = f"http://127.0.0.1:{port}/user/me"
                with urllib.request.urlopen(f"{base}/training", timeout=30) as reply:
                    assert b"Bokeh.safely" in reply.read()
                with urllib.request.urlopen(f"{base}/individual-plots.json", timeout=30) as reply:
                    listed = json.loads(reply.read()).values()
                assert any(path.endswith("individual-training-gap") for path in listed)
        finally:
            process.terminate()
