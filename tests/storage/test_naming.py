"""From a name in a file to a class: a narrow door."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from daskml_dist.errors import CheckpointInvalid
from daskml_dist.losses import Logistic, Loss
from daskml_dist.storage import class_path, resolve


@pytest.mark.parametrize(
    "path", ["daskml_dist.losses.Logistic", "daskml_dist.losses.logistic.Logistic"], ids=["public", "module"]
)
def test_a_public_class_is_found(path: str) -> None:
    assert resolve(path) is Logistic
    assert class_path(Logistic) == "daskml_dist.losses.Logistic"


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "sklearn.linear_model.LogisticRegression",
        "daskml_dist_evil.losses.Logistic",
        "daskml_dist.Logistic",
        "daskml_dist",
        "",
        ".Logistic",
        "daskml_dist.losses.Logistic.__init__",
        "daskml_dist.losses.__builtins__",
        "daskml_dist.losses.np.Logistic",
        "daskml_dist.losses._base.Logistic",
        "daskml_dist.losses.poisson.Logistic",
        "daskml_dist.losses.NotThere",
        "daskml_dist.no_such_room.Logistic",
        "daskml_dist.storage.models.Folder",
        "daskml_dist.storage.checkpoints.Folder",
        "daskml_dist.storage.CheckpointInvalid",
        "daskml_dist.monitor.TOPIC",
        "daskml_dist.losses.Logistic\n",
        "daskml_dist..losses.Logistic",
        "daskml_dist.losses/../../os.Logistic",
    ],
)
def test_anything_else_is_refused(path: str) -> None:
    before = set(sys.modules)
    with pytest.raises(CheckpointInvalid, match=r"daskml_dist"):
        resolve(path)
    assert all(name.startswith("daskml_dist") for name in set(sys.modules) - before)


@pytest.mark.parametrize("path", [None, 3, ["daskml_dist.losses.Logistic"]])
def test_a_path_is_text(path: object) -> None:
    with pytest.raises(CheckpointInvalid):
        resolve(path)  # type: ignore[arg-type]


def test_a_missing_dependency_of_a_room_keeps_its_own_message(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def fail(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(ModuleNotFoundError, match="torch"):
        resolve("daskml_dist.losses.Logistic")


def test_a_class_of_the_user_has_no_path() -> None:
    class Mine(Logistic):  # type: ignore[misc]
        pass

    for cls in (Mine, dict, type(Loss)):
        with pytest.raises(TypeError, match="cannot be stored by name"):
            class_path(cls)
