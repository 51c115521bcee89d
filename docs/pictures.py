"""Takes the pictures of docs/gallery.md: real fits on a LocalCluster, their page in a headless Chromium.

python docs/pictures.py
"""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from PIL import Image
from playwright.sync_api import sync_playwright

from daskml_dist.linear_model import LogisticRegression, MinimaxClassifier, SGDClassifier

STATIC = Path(__file__).parent / "_static"
ROWS, FEATURES, WORKERS = 400_000, 30, 2
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def data() -> tuple[Any, Any, Any]:
    """Rows of correlated features, labels, and four groups of which one is unlike the others."""
    rng = da.random.default_rng(7)
    chunks = ROWS // 8
    X = rng.normal(size=(ROWS, FEATURES), chunks=(chunks, FEATURES))
    X = X + 0.7 * X[:, :1]
    site = rng.integers(0, 4, size=ROWS, chunks=chunks)
    slope = np.linspace(-1.5, 1.5, FEATURES)
    margin = X @ slope * da.where(site == 3, 0.4, 1.0)
    y = margin + rng.logistic(size=ROWS, chunks=chunks) > 0
    return X.persist(), y.persist(), site.persist()


def main() -> None:
    """Fit, look, and keep the pictures."""
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        sync_playwright() as started,
    ):
        X, y, site = data()
        path = next(found for name in BROWSERS if (found := shutil.which(name)))
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 900})
        fits = {
            "newton": lambda: LogisticRegression(verbose=0).fit(X, y),
            "lbfgs": lambda: LogisticRegression(verbose=0, solver="lbfgs").fit(X, y),
            "minimax": lambda: MinimaxClassifier(verbose=0).fit(X, y, groups=site),
            "servers": lambda: SGDClassifier(
                verbose=0, strategy="parameter_server", staleness=3, servers=2, max_iter=4
            ).fit(X, y),
        }
        for name, fit in fits.items():
            fit()
            page.goto(client.dashboard_link.replace("/status", "/training"))
            page.wait_for_load_state("networkidle")
            time.sleep(8)  # until everything is drawn
            keep(page.screenshot(full_page=True), STATIC / f"gallery-{name}.png")
        browser.close()


def keep(png: bytes, path: Path) -> None:
    """A picture of 64 colours, which has a fifth of the bytes."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    main()
