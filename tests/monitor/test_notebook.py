"""The view in a notebook's cell: drawn where the numbers are, not too often, and harmless."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from daskml_dist.linear_model import LogisticRegression, Ridge, SGDClassifier
from daskml_dist.monitor import FitEnd, FitInfo, NotebookView, ProgressLine, gap_picture, progress_view
from daskml_dist.monitor import notebook as room
from daskml_dist.types import Step

SVG = "{http://www.w3.org/2000/svg}"


def _step(passes: int, gap: float) -> Step:
    return Step(passes, "Sweep", 0.5, gap, "estimate", 1.0, 1.0, 100, 0.01, 4, 800)


def _info(name: str = "Ridge") -> FitInfo:
    return FitInfo("f-1", name, "newton", 1000, 2, 1e-6, 20)


class Cell:
    """Where outputs are shown: one handle, and all that it was given."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def __call__(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> Cell:
        assert raw and display_id and not self.shown
        self.shown.append(bundle)
        return self

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(bundle)


def _points(svg: str) -> np.ndarray:
    """(m, 2) corners of the curve."""
    root = ET.fromstring(svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))
    line = root.find(f"{SVG}polyline")
    assert line is not None
    return np.array([corner.split(",") for corner in line.attrib["points"].split()], dtype=float)


def test_gaps_are_drawn_on_a_logarithmic_scale() -> None:
    drawn = _points(gap_picture([1, 2, 4], [1e-1, 1e-3, 1e-7], 1e-6))
    across, down = np.diff(drawn[:, 0]), np.diff(drawn[:, 1])
    np.testing.assert_allclose(across / across[0], [1.0, 2.0], atol=0.01)
    np.testing.assert_allclose(down / down[0], [1.0, 2.0], atol=0.02)


@pytest.mark.parametrize("gaps", [[], [math.inf], [0.0, math.nan]])
def test_no_gap_no_picture(gaps: list[float]) -> None:
    assert gap_picture(range(len(gaps)), gaps, 1e-6) == "<p>No gap is known yet.</p>"


@pytest.mark.parametrize("passes", [1, 5_000])
def test_pictures_stay_small(passes: int) -> None:
    svg = gap_picture(range(1, passes + 1), np.geomspace(0.5, 1e-9, passes).tolist(), 0.0)
    drawn = _points(svg)
    assert len(svg) < 20_000 and len(drawn) <= 400
    assert "tol" not in svg
    assert f"pass {passes}:" in svg  # the last one is there


def test_one_output_rewritten_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(room.time, "monotonic", lambda: now)
    cell = Cell()
    view = NotebookView(cell)
    view.begin(_info("<Ridge>"))
    for passes in range(1, 101):
        now += 0.01
        view.hear(_step(passes, 1.0 / passes))
    assert len(cell.shown) == 1 + 4  # in a second
    view.end(FitEnd("f-1", "stopped", "by request", 100, 1.0))
    last = cell.shown[-1]
    assert "stopped by request after 1 s" in last["text/plain"] and "100 passes" in last["text/plain"]
    assert "&lt;Ridge&gt;" in last["text/html"] and "<Ridge>" not in last["text/html"]
    assert "<svg" in last["text/html"] and "script" not in last["text/html"]


def test_outside_a_notebook_it_is_a_line() -> None:
    assert isinstance(progress_view(1), ProgressLine) and isinstance(progress_view(2), ProgressLine)


@pytest.mark.filterwarnings("default")  # of Jupyter's own machinery
def test_a_fit_in_a_real_kernel() -> None:
    """Blocking, and in the background; the output of the cell has the end of both."""
    cells = [
        "import numpy as np, daskml_dist\n"
        "from daskml_dist.linear_model import LogisticRegression\n"
        "rng = np.random.default_rng(0)\n"
        "X = rng.standard_normal((500, 3)); y = X[:, 0] + rng.logistic(size=500) > 0",
        "model = LogisticRegression(solver='lbfgs').fit(X, y)",
        "run = daskml_dist.train(LogisticRegression(solver='lbfgs'), X, y)\nmodel = run.result()",
        "LogisticRegression(verbose=2).fit(X, y); LogisticRegression(verbose=0).fit(X, y);",
        "model",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120).execute()
    outputs = [cell.outputs for cell in notebook.cells]
    for (shown,) in outputs[1:3]:
        assert shown.output_type == "display_data"
        assert "LogisticRegression" in shown.data["text/plain"] and "converged" in shown.data["text/plain"]
        assert "<svg" in shown.data["text/html"]
    assert {output.output_type for output in outputs[3]} <= {"stream"}
    assert "coefficient" in outputs[4][0].data["text/html"]


def test_models_show_what_they_found() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 30)) * np.linspace(1.0, 0.01, 30)
    y = np.array(["<a>", "b", "c"])[rng.integers(0, 3, 200)]
    assert "<table><thead>" not in LogisticRegression()._repr_html_()
    model = LogisticRegression(solver="lbfgs", verbose=0).fit(X, y)
    html = model._repr_html_()
    assert "&lt;a&gt;" in html and "<th><a></th>" not in html
    for k in range(3):
        assert f"<td>{model.coef_[k, np.argmax(np.abs(model.coef_).max(axis=0))]:.4g}</td>" in html
    assert "and 10 more features" in html and "over the data" in html and "<svg" in html
    assert "intercept" in SGDClassifier(max_iter=2, tol=None, verbose=0).fit(X, y)._repr_html_()
    assert "proven: closed-form" in Ridge(verbose=0).fit(X, X[:, :2])._repr_html_()
