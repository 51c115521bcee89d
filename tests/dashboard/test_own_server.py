"""Our own server: the page of the fits of this process, on this machine."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from daskml_dist.dashboard import serve
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.linear_model import LogisticRegression
from daskml_dist.monitor import audience

ROOT = Path(__file__).resolve().parents[2]


def test_fits_without_a_cluster_show_on_it() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    y = X[:, 0] + rng.logistic(size=500) > 0
    with serve() as server:
        model = LogisticRegression(solver="lbfgs", verbose=0).fit(X, y)
        deadline = time.monotonic() + 30.0
        while (fit := server.store.newest()) is None or not fit.over:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert fit.state == "finished" and server.store.refused == 0
        assert fit.steps.columns["gap"] == [row["gap"] for row in model.history_]
        named = fit.told.last("named")
        assert [named[f"x{j}"] for j in range(4)] == pytest.approx(model.coef_[0])
        assert sum(fit.layout["rows"]) == 500 and list(fit.recent[-1]["each"]) == ["thread 1"]
        assert sum(fit.layout["nbytes"]) >= X.nbytes
    assert not audience


@pytest.mark.parametrize(("theme", "colour"), [("light", "#fafafa"), ("dark", "#20262b")])
def test_it_serves_the_page_here_and_nowhere_else(theme: str, colour: str) -> None:
    with serve(theme=theme) as server:  # type: ignore[arg-type]
        assert server.address == f"http://127.0.0.1:{server.port}/training"
        with urllib.request.urlopen(server.address, timeout=30) as reply:
            assert colour in reply.read().decode()
        port = server.port
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/training", timeout=2)
    with pytest.raises(RuntimeError, match="closed"):
        _ = server.loop
    server.close()  # twice does nothing


def test_a_port_that_is_taken_and_a_theme_that_is_not_known_are_refused() -> None:
    with serve() as server, pytest.raises(OSError):
        serve(server.port)
    with pytest.raises(UnsupportedParameter, match="'light' or 'dark'"):
        serve(theme="pink")  # type: ignore[arg-type]


def test_fits_without_a_cluster_import_no_bokeh() -> None:
    code = (
        "import sys, numpy as np\n"
        "import daskml_dist.dashboard, daskml_dist.dashboard.plugin\n"
        "from daskml_dist.linear_model import Ridge\n"
        "Ridge(verbose=0).fit(np.eye(5), np.arange(5.0))\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'bokeh'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=120, check=True
    )
    assert done.stdout.decode().strip() == "[]"
