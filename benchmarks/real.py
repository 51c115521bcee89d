"""Real data as the literature uses them: one function a set, from its folder to X, y and an offset."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Real:
    """family : of the loss. X (n, p), y (n,), offset (n,) or None."""

    family: str
    X: Any
    y: Any
    offset: Any = None


def fremtpl2(folder: Path) -> Real:
    """Claim frequency with exposure as offset; factors and bands of the actuarial literature, one-hot."""
    data = pd.read_csv(folder / "fremtpl2" / "freMTPL2freq.csv.gz")
    bands = pd.DataFrame(
        {
            "VehAge": pd.cut(data["VehAge"], [-1, 0, 9, 1000]),
            "DrivAge": pd.cut(data["DrivAge"], [0, 21, 26, 31, 41, 51, 71, 1000], right=False),
            "VehPower": data["VehPower"].clip(upper=9),
            **{name: data[name] for name in ("Area", "VehBrand", "VehGas", "Region")},
        }
    )
    X = pd.get_dummies(bands.astype(str).astype("category"), drop_first=True, dtype=float)
    X["BonusMalus"] = data["BonusMalus"].clip(upper=150).astype(float)
    X["LogDensity"] = np.log(data["Density"])
    y = data["ClaimNb"].clip(upper=4).to_numpy(dtype=float)
    return Real("poisson", X.to_numpy(), y, np.log(data["Exposure"].clip(upper=1.0)).to_numpy())


def mnist(folder: Path, *, digit: int, scale: float) -> Real:
    """A digit against the rest. Pixels from 0 to 255 make the penalty 65,025 times weaker than in [0, 1]."""
    X = _idx(folder / "mnist" / "train-images-idx3-ubyte.gz").reshape(-1, 784) / scale
    y = _idx(folder / "mnist" / "train-labels-idx1-ubyte.gz") == digit
    return Real("logistic", X, y.astype(float))


def mnist_digits(folder: Path) -> tuple[Any, Any]:
    """All ten digits, pixels from 0 to 255."""
    X = _idx(folder / "mnist" / "train-images-idx3-ubyte.gz").reshape(-1, 784).astype(float)
    return X, _idx(folder / "mnist" / "train-labels-idx1-ubyte.gz")


def letter(folder: Path) -> tuple[Any, Any]:
    """Capital letters by 16 integer features."""
    data = pd.read_csv(folder / "letter" / "letter.csv.gz")
    y = data.pop("lettr").to_numpy(dtype=str)
    return data.to_numpy(dtype=float), y


def kddcup99(folder: Path) -> Real:
    """An attack or not; factors one-hot, numbers raw."""
    names = (folder / "kddcup99" / "columns.txt").read_text(encoding="utf-8").split()
    data = pd.read_csv(folder / "kddcup99" / "kddcup.data_10_percent.gz", header=None, names=names)
    y = data.pop("label").ne("normal.").to_numpy(dtype=float)
    X = pd.get_dummies(data, columns=["protocol_type", "service", "flag"], dtype=float)
    return Real("logistic", X.to_numpy(dtype=float), y)


def adult(folder: Path) -> Real:
    """Income above 50,000; factors one-hot, a missing value is a level of its own, numbers raw."""
    data = pd.read_csv(folder / "adult" / "adult.data.csv.gz", na_values="?")
    y = data.pop("income").eq(">50K").to_numpy(dtype=float)
    X = pd.get_dummies(data, dummy_na=False, drop_first=True, dtype=float)
    return Real("logistic", X.to_numpy(dtype=float), y)


SETS: dict[str, Callable[[Path], Real]] = {
    "freMTPL2 frequency": fremtpl2,
    "mnist / 255, 8 or not": partial(mnist, digit=8, scale=255.0),
    "mnist raw, 8 or not": partial(mnist, digit=8, scale=1.0),
    "mnist raw, 7 or not": partial(mnist, digit=7, scale=1.0),
    "kddcup99, attack or not": kddcup99,
    "adult": adult,
}


def _idx(path: Path) -> Any:
    raw = gzip.open(path).read()
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">u4", dimensions, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
