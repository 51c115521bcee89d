"""The page is announced, as an installed package does it; and a browser, where there is one."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from daskml_dist.monitor import PAGES, pages

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    """Records arrive; silence_logs of the cluster of the session had raised the level of the handler."""
    caplog.handler.setLevel(logging.NOTSET)


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits find the page, whether or not the package is installed from this tree."""
    point = EntryPoint("training", "daskml_dist.dashboard.plugin:open_page", PAGES)
    monkeypatch.setattr(pages, "_announced", lambda: (point,))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; until it is closed, its event loop runs in this thread and allows no other."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)} is on the PATH")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()
