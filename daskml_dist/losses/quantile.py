"""The loss whose best constant is a quantile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses.piecewise_linear import Kink, PiecewiseLinear
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Quantile(PiecewiseLinear):
    """loss(y, z) = max(level (y - z), (level - 1) (y - z)), the check or pinball loss, for any real y.

    Koenker and Bassett 1978, "Regression quantiles". It is linked to z itself, which is a quantile
    and not the mean.

    Parameters
    ----------
    level : between 0 and 1.
    """

    level: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 < self.level < 1.0:
            raise UnsupportedParameter(f"quantile={self.level!r}: expected a number between 0 and 1.")

    @property
    def name(self) -> str:
        return f"quantile of level {self.level:g}"

    def complain(self, y: AnyArray) -> str | None:
        return None

    def kinks(self, y: FloatArray) -> list[Kink]:
        return [Kink(y, self.level - 1.0, self.level)]
