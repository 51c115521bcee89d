"""One block of many cells as the arrays that ``cells`` works on, group by group where there are groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, final

import numpy as np

from daskml_dist import cells
from daskml_dist.errors import InvalidData
from daskml_dist.labelled._blocks import Block, spread
from daskml_dist.labelled._missing import complain
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Samples:
    """T samples of C cells.

    Attributes
    ----------
    x : (p, T), the same for all cells, or (p, T, C). y : (T, C). weight : (T,), (T, C) or None.
    offset : (T, C) or None. codes : (T,) the group of each sample, -1 for none, or None.
    """

    x: AnyArray
    y: AnyArray
    weight: AnyArray | None
    offset: AnyArray | None
    codes: AnyArray | None

    def groups(self, count: int) -> Iterator[Samples]:
        """The samples of each group."""
        if self.codes is None:
            yield self
            return
        for code in range(count):
            rows = np.flatnonzero(self.codes == code)
            yield Samples(
                self.x[:, rows],
                self.y[rows],
                None if self.weight is None else self.weight[rows],
                None if self.offset is None else self.offset[rows],
                None,
            )


@final
@dataclass(frozen=True)
class Grid:
    """How the blocks of some arrays are samples of cells.

    Attributes
    ----------
    n_cells, n_samples : how many of the outer dims are those of cells, and of samples.
    columns : how many of the arrays are features.
    names : of the others, "y" first. labels : of all arrays, for messages.
    places : which of the outer dims each array has.
    weight : of all samples, where it is one number.
    groups : how many groups there are, or 0.
    complete : whether nothing may be missing.
    classes : the labels of y that are coded 0 and 1, or None.
    """

    n_cells: int
    n_samples: int
    columns: int
    names: tuple[str, ...]
    labels: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]
    weight: float | None = None
    groups: int = 0
    complete: bool = True
    classes: tuple[Any, Any] | None = None

    @property
    def shared(self) -> bool:
        """Whether no feature lies on a dim of cells."""
        return all(place >= self.n_cells for places in self.places[: self.columns] for place in places)

    def samples(self, block: Block, arrays: tuple[AnyArray, ...]) -> Samples:
        """The samples of a block, with views of its arrays where that is possible."""
        n = self.n_cells + self.n_samples
        wide = [spread(np.asarray(array), at, n) for array, at in zip(arrays, self.places, strict=True)]
        rest = dict(zip(self.names, wide[self.columns :], strict=True))
        shape = block.shape
        y = _table(np.broadcast_to(self._coded(rest["y"]), shape), self.n_cells)
        weight, offset, codes = (rest.get(name) for name in ("sample_weight", "offset", "group"))
        return Samples(
            x=self._features(wide[: self.columns], shape),
            y=y,
            weight=self._weights(weight, shape),
            offset=None if offset is None else _table(np.broadcast_to(offset, shape), self.n_cells),
            codes=None if codes is None else self._flat(codes, shape),
        )

    def refused(self, block: Block, arrays: tuple[AnyArray, ...]) -> NoReturn:
        """Say where a value is missing."""
        n = self.n_cells + self.n_samples
        wide = [spread(np.asarray(array), at, n) for array, at in zip(arrays, self.places, strict=True)]
        complain(block, self.labels, wide, self.places)

    def _flat(self, array: AnyArray, shape: tuple[int, ...]) -> AnyArray:
        """(T,) of an array that is the same for all cells."""
        own = (1,) * self.n_cells + shape[self.n_cells :]
        return np.broadcast_to(array, own).reshape(-1)

    def _weights(self, weight: AnyArray | None, shape: tuple[int, ...]) -> AnyArray | None:
        if weight is None:
            return None if self.weight is None else np.full(int(np.prod(shape[self.n_cells :])), self.weight)
        if (weight < 0).any():
            raise InvalidData("sample_weight has values below 0. Weights of models of cells must be >= 0.")
        if all(length == 1 for length in weight.shape[: self.n_cells]):
            return self._flat(weight, shape)
        return _table(np.broadcast_to(weight, shape), self.n_cells)

    def _features(self, columns: list[AnyArray], shape: tuple[int, ...]) -> AnyArray:
        n, own = len(shape), (1,) * self.n_cells + shape[self.n_cells :]
        full = own if self.shared else shape
        parts = []
        for column in columns:
            inner = column.shape[n:]
            table = np.broadcast_to(column, full + inner).reshape(*full, -1)
            cells_first = table.reshape(int(np.prod(full[: self.n_cells])), -1, table.shape[-1])
            parts.append(cells_first.transpose(2, 1, 0))
        x = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return x[:, :, 0] if self.shared else x

    def _coded(self, y: AnyArray) -> AnyArray:
        """y, or 0 and 1 for its classes; NaN where it is missing."""
        if self.classes is None:
            return y if y.dtype.kind == "f" else y.astype(np.float64)
        coded = (y == self.classes[1]).astype(np.float64)
        return np.where((y == self.classes[0]) | (y == self.classes[1]), coded, np.nan)


def _table(array: AnyArray, n_cells: int) -> AnyArray:
    """(T, C) of (cells..., samples...)."""
    return array.reshape(int(np.prod(array.shape[:n_cells])), -1).T


@final
@dataclass(frozen=True)
class MomentsOf:
    """The moments of a block."""

    grid: Grid
    whitening: cells.Whitening
    centre: bool

    def __call__(self, block: Block, *arrays: AnyArray) -> cells.Moments:
        samples = self.grid.samples(block, arrays)
        x = self.whitening.of(samples.x) if self.grid.shared else samples.x
        try:
            return cells.beside(
                [
                    cells.moments_of(
                        part.x, part.y, part.weight, centre=self.centre, complete=self.grid.complete
                    )
                    for part in Samples(x, samples.y, samples.weight, None, samples.codes).groups(
                        self.grid.groups
                    )
                ]
            )
        except cells.Incomplete:
            self.grid.refused(block, arrays)


@final
@dataclass(frozen=True)
class FactorsOf:
    """The factors of some cells of a block, ``chosen`` by number: groups first, cells within."""

    grid: Grid
    centre: bool

    def __call__(self, block: Block, chosen: AnyArray, *arrays: AnyArray) -> cells.Factors:
        samples = self.grid.samples(block, arrays)
        width = samples.y.shape[1]
        parts = []
        for group, part in enumerate(samples.groups(self.grid.groups)):
            own = chosen[chosen // width == group] % width
            weight = part.weight
            parts.append(
                cells.factors_of(
                    part.x if part.x.ndim == 2 else part.x[:, :, own],
                    part.y[:, own],
                    weight if weight is None or weight.ndim == 1 else weight[:, own],
                    centre=self.centre,
                )
            )
        names = ("used", "weight", "mean", "r")
        return cells.Factors(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@final
@dataclass(frozen=True)
class FeaturesOf:
    """The factors of features that all cells share, as those of one cell whose y is 0."""

    grid: Grid
    centre: bool

    def __call__(self, block: Block, *arrays: AnyArray) -> cells.Factors:
        n = self.grid.n_cells + self.grid.n_samples
        wide = [spread(np.asarray(a), at, n) for a, at in zip(arrays, self.grid.places, strict=False)]
        x = self.grid._features(wide, block.shape)
        if self.grid.complete and np.isnan(x).any():
            complain(block, self.grid.labels[: len(wide)], wide, self.grid.places[: len(wide)])
        return cells.factors_of(x, np.zeros((x.shape[1], 1)), None, centre=self.centre)


@final
@dataclass(frozen=True)
class CurvedOf:
    """The models of the cells of a block, which has all of their samples."""

    grid: Grid
    loss: Any
    alpha: Callable[[FloatArray], FloatArray]
    intercept: bool
    tol: float
    max_steps: int

    def __call__(self, block: Block, *arrays: AnyArray) -> AnyArray:
        """(p + 5, cells): coefficients, intercept, samples, gap, whether it is proven, and steps."""
        samples = self.grid.samples(block, arrays)
        found = []
        try:
            for part in samples.groups(self.grid.groups):
                models = cells.newton(
                    part.x,
                    part.y,
                    part.weight,
                    part.offset,
                    loss=self.loss,
                    alpha=self.alpha,
                    intercept=self.intercept,
                    tol=self.tol,
                    max_steps=self.max_steps,
                    complete=self.grid.complete,
                )
                rest = [models.b, models.used, models.gap, models.proven, models.steps]
                found.append(np.concatenate([models.w, np.array(rest, dtype=np.float64)]))
        except cells.Incomplete:
            self.grid.refused(block, arrays)
        return np.concatenate(found, axis=1)
