"""A fitted model and an empty registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daskml_dist.linear_model import LogisticRegression
from daskml_dist.registry import Registry
from daskml_dist.types import AnyArray

DICE = np.random.default_rng(0)
FEATURES = DICE.normal(size=(200, 4))
LABELS = np.where(FEATURES @ [1.0, -2.0, 0.5, 0.0] + DICE.logistic(size=200) > 0, "yes", "no")


@pytest.fixture(scope="session")
def X() -> AnyArray:  # noqa: N802
    return FEATURES


@pytest.fixture(scope="session")
def y() -> AnyArray:
    return LABELS


@pytest.fixture(scope="session")
def model() -> Any:
    return LogisticRegression(verbose=0).fit(FEATURES, LABELS)


@pytest.fixture
def store(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")
