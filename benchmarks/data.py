"""Generated data: seeded, by blocks of rows, so that they never need to be in memory at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit

KINDS = (
    "iid",
    "correlated, scales 1e±3",
    "heavy tails, t 2.5",
    "1 % positive",
    "one-hot, Zipf",
    "nearly separable",
    "far from the origin",
    "Poisson",
    "Poisson, correlated",
)

_BLOCK = 50_000


@dataclass(frozen=True)
class Design:
    """What one kind of data is drawn from: n rows, p features, and the truth that y follows."""

    kind: str
    p: int
    seed: int = 0

    @property
    def family(self) -> str:
        """Of the loss."""
        return "poisson" if self.kind.startswith("Poisson") else "logistic"

    def truth(self) -> tuple[Any, Any, Any, float]:
        """Mean and scale of each feature, coefficients of the unscaled features, intercept."""
        rng = np.random.default_rng((self.seed, 1))
        w = rng.standard_normal(self.p) / np.sqrt(self.p)
        scale, mean, b = np.ones(self.p), np.zeros(self.p), 0.0
        if "scales" in self.kind or self.kind == "Poisson, correlated":
            scale = 10.0 ** rng.uniform(-3.0, 3.0, self.p)
        if self.kind == "far from the origin":
            mean = 1e4 * rng.choice([-1.0, 1.0], self.p)
        if self.kind == "1 % positive":
            w, b = w * 1.0, -5.0
        if self.kind == "nearly separable":
            w = w * 30.0
        if self.family == "poisson":
            w, b = w * 0.5, -1.0
        return mean, scale, w if self.family == "poisson" else w * 1.5, b

    def block(self, number: int, rows: int) -> tuple[Any, Any]:
        """A block of rows, from a seed of its own: X (rows, p) and y (rows,)."""
        rng = np.random.default_rng((self.seed, 2, number))
        mean, scale, w, b = self.truth()
        x = self._features(rng, rows)
        z = x @ w + b
        if self.family == "poisson":
            y = rng.poisson(np.exp(np.minimum(z, 10.0))).astype(np.float64)
        else:
            y = (rng.random(rows) < expit(z)).astype(np.float64)
        return x * scale + mean, y

    def _features(self, rng: Any, rows: int) -> Any:
        if self.kind == "one-hot, Zipf":
            return self._one_hot(rng, rows)
        if self.kind == "heavy tails, t 2.5":
            return rng.standard_t(2.5, (rows, self.p))
        noise = rng.standard_normal((rows, self.p))
        if "correlated" not in self.kind:
            return noise
        noise[:, 1:] *= np.sqrt(1.0 - 0.95**2)
        return lfilter([1.0], [1.0, -0.95], noise, axis=1)  # AR(0.95) along the features

    def _one_hot(self, rng: Any, rows: int) -> Any:
        """Two factors with Zipf's frequencies 1, 1/2, 1/3, ..."""
        x = np.zeros((rows, self.p))
        start = 0
        for levels in (self.p // 2, self.p - self.p // 2):
            frequency = 1.0 / np.arange(1, levels + 1)
            drawn = rng.choice(levels, rows, p=frequency / frequency.sum())
            x[np.arange(rows), start + drawn] = 1.0
            start += levels
        return x

    def whole(self, n: int) -> tuple[Any, Any]:
        """All rows in memory."""
        blocks = [self.block(i, min(_BLOCK, n - i * _BLOCK)) for i in range(-(-n // _BLOCK))]
        return np.concatenate([x for x, _ in blocks]), np.concatenate([y for _, y in blocks])

    def lazy(self, rows: int, chunks: int) -> tuple[Any, Any]:
        """Dask arrays of so many chunks of so many rows; whoever asks for a chunk draws it."""
        import dask
        import dask.array as da

        both = [dask.delayed(self.block, pure=True, nout=2)(i, rows) for i in range(chunks)]
        X = da.concatenate([da.from_delayed(x, (rows, self.p), np.float64) for x, _ in both])
        y = da.concatenate([da.from_delayed(y, (rows,), np.float64) for _, y in both])
        return X, y

    def write(self, n: int, folder: Path, *, parquet: bool = False) -> None:
        """All rows as X.npy and y.npy, and as data.parquet where it is asked for."""
        folder.mkdir(parents=True, exist_ok=True)
        X = np.lib.format.open_memmap(folder / "X.npy", mode="w+", dtype=np.float64, shape=(n, self.p))
        y = np.lib.format.open_memmap(folder / "y.npy", mode="w+", dtype=np.float64, shape=(n,))
        for i, start in enumerate(range(0, n, _BLOCK)):
            stop = min(start + _BLOCK, n)
            X[start:stop], y[start:stop] = self.block(i, stop - start)
        X.flush()
        y.flush()
        if parquet:
            _write_parquet(X, y, folder / "data.parquet")


def _write_parquet(X: Any, y: Any, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [f"x{j}" for j in range(X.shape[1])]
    schema = pa.schema([(name, pa.float64()) for name in [*names, "label"]])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, len(y), _BLOCK):
            block = np.asarray(X[start : start + _BLOCK])
            columns = [pa.array(np.ascontiguousarray(column)) for column in block.T]
            writer.write_table(
                pa.Table.from_arrays([*columns, pa.array(y[start : start + _BLOCK])], schema=schema)
            )
