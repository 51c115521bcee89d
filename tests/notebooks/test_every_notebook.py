"""Every notebook runs from top to bottom, and what is committed of its outputs is short and of no machine."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
_QUICK = {"01", "04", "06"}  # the others are for make notebooks
_SLOW = "Worker process still alive after"  # what Dask says on a busy machine when a cluster is closed


def _outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def _kind(output: nbformat.NotebookNode) -> str:
    return str(output.get("name", output.output_type))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.notebook
@pytest.mark.filterwarnings("default")  # of Jupyter's own machinery; those of the cells are outputs
@pytest.mark.parametrize(
    "path",
    [path if path.stem[:2] in _QUICK else pytest.param(path, marks=pytest.mark.slow) for path in NOTEBOOKS],
    ids=lambda path: path.stem,
)
def test_it_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    speaking = [cell.id for cell in notebook.cells if cell.get("outputs")]
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    complaints = [output for output in _outputs(notebook) if output.get("name") == "stderr"]
    assert [one for one in complaints if _SLOW not in one["text"]] == []
    assert [
        cell.id for cell in notebook.cells if set(map(_kind, cell.get("outputs", []))) - {"stderr"}
    ] == speaking


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_is_clean(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert len(text) < 20_000
    assert re.findall(r"(?<![\w.:/])/(?:home|root|tmp|work|Users|usr)/[^\"\s]*", text) == []
    assert {output.output_type for output in _outputs(notebook)} <= {
        "stream",
        "execute_result",
        "display_data",
    }
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
