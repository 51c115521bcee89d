"""The package itself: its names are there, and importing it alone imports little."""

from __future__ import annotations

import subprocess
import sys

import pytest

import daskml_dist


@pytest.mark.parametrize("name", daskml_dist.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(daskml_dist, name) is not None and name in dir(daskml_dist)


def test_rooms_come_with_the_package() -> None:
    asked = "import daskml_dist; print(daskml_dist.linear_model.LogisticRegression.__name__)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "LogisticRegression"


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lineer_model'"):
        daskml_dist.lineer_model  # noqa: B018


def test_the_package_alone_imports_neither_dask_nor_scikit_learn() -> None:
    asked = "import sys, daskml_dist; print({'dask', 'distributed', 'sklearn', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
