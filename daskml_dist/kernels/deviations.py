"""How far predictions are from the target: weighted sums of one deviation a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import xlogy

from daskml_dist.errors import InvalidData
from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import row_blocks
from daskml_dist.kernels.raw import number_column
from daskml_dist.kernels.survey import check_weight_sum, check_weights
from daskml_dist.types import AnyArray, Chunk, FloatArray


class Deviation(ABC):
    """A number for each target y and prediction z; arrays of one shape, or which broadcast to one."""

    @abstractmethod
    def value(self, y: AnyArray, z: AnyArray) -> AnyArray:
        """The deviation, elementwise."""

    def complain(self, y: AnyArray, z: AnyArray) -> str | None:
        """Say what y and z would have to be, or None where they are."""
        return None


@final
@dataclass(frozen=True)
class SquaredError(Deviation):
    """(y - z)^2."""

    def value(self, y: AnyArray, z: AnyArray) -> AnyArray:
        return np.asarray(np.square(y - z))


@final
@dataclass(frozen=True)
class AbsoluteError(Deviation):
    """|y - z|."""

    def value(self, y: AnyArray, z: AnyArray) -> AnyArray:
        return np.asarray(np.abs(y - z))


@final
@dataclass(frozen=True)
class RelativeError(Deviation):
    """|y - z| / max(|y|, eps), with the eps of float64."""

    def value(self, y: AnyArray, z: AnyArray) -> AnyArray:
        return np.asarray(np.abs(y - z) / np.maximum(np.abs(y), np.finfo(np.float64).eps))


@final
@dataclass(frozen=True)
class PinballError(Deviation):
    """alpha (y - z) where y >= z, else (1 - alpha) (z - y): least for the quantile alpha of y."""

    alpha: float

    def value(self, y: AnyArray, z: AnyArray) -> AnyArray:
        above = y - z
        return np.asarray(np.where(above >= 0.0, self.alpha * above, (self.alpha - 1.0) * above))


@final
@dataclass(frozen=True)
class TweedieDeviance(Deviation):
    """The unit deviance of a Tweedie distribution, whose variance is the mean to the power p.

    p = 0 is the normal distribution, 1 Poisson, 2 gamma, 3 inverse Gaussian. Jørgensen (1997), "The
    Theory of Dispersion Models", section 4.1.
    """

    power: float

    def value(self, y: AnyArray, z: AnyArray) -> AnyArray:
        p = self.power
        if p == 0:
            return np.asarray(np.square(y - z))
        if p == 1:
            return np.asarray(2.0 * (xlogy(y, y / z) - y + z))
        if p == 2:
            return np.asarray(2.0 * (np.log(z / y) + y / z - 1.0))
        first = np.power(np.maximum(y, 0.0), 2.0 - p) / ((1.0 - p) * (2.0 - p))
        return np.asarray(
            2.0 * (first - y * np.power(z, 1.0 - p) / (1.0 - p) + np.power(z, 2.0 - p) / (2.0 - p))
        )

    def complain(self, y: AnyArray, z: AnyArray) -> str | None:
        if self.power == 0 or (self.power < 0 and np.all(z > 0)):
            return None
        if self.power < 0:
            return "strictly positive X"
        if self.power < 2:
            return None if np.all(y >= 0) and np.all(z > 0) else "non-negative y and strictly positive X"
        return None if np.all(y > 0) and np.all(z > 0) else "strictly positive y and X"


@final
@dataclass(frozen=True)
class DeviationsAnswer:
    """Rows, and mean deviations by weight, (t,): of the predictions, and of the constant if there is one."""

    rows: int
    mean: FloatArray
    constant: FloatArray | None


@final
@dataclass(frozen=True)
class Deviations(Kernel[DeviationsAnswer]):
    """The mean deviation of y, (n,) or (n, t), from the predictions X (n, t), and from a constant (t,)."""

    deviation: Deviation
    constant: FloatArray | None = None

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        check_weights(chunk)
        X = number_column(chunk.X, "X", chunk.id) if chunk.X.dtype.kind == "O" else chunk.X
        y = number_column(chunk.y, "y", chunk.id).reshape(X.shape)
        sums = np.zeros((2, X.shape[1]))
        for where, z in row_blocks(X):
            self._refuse(y[where], z, chunk)
            weight = np.ones(z.shape[0]) if chunk.weight is None else chunk.weight[where]
            sums[0] += weight @ self.deviation.value(y[where], z)
            if self.constant is not None:
                sums[1] += weight @ self.deviation.value(y[where], self.constant)
        weight_sum = X.shape[0] if chunk.weight is None else chunk.weight.sum()
        return Part({"deviations": sums, "weight": np.asarray(float(weight_sum))})

    def finish(self, total: Total) -> DeviationsAnswer:
        weight = float(total.sums["weight"])
        check_weight_sum(weight)
        mean, constant = total.sums["deviations"] / weight
        return DeviationsAnswer(total.rows, mean, None if self.constant is None else constant)

    def _refuse(self, y: FloatArray, z: FloatArray, chunk: Chunk) -> None:
        expected = self.deviation.complain(y, z)
        if expected is not None and np.isfinite(z).all():  # what is not finite is refused as such
            raise InvalidData(
                f"{self.deviation} can only be used on {expected}. In chunk {chunk.id} the least y is "
                f"{y.min():g}, and the least X {z.min():g}."
            )
