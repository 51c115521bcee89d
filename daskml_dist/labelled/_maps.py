"""A model for each cell, or for each group of samples, from one sweep over the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, product
from typing import Any, final

import numpy as np
import pandas as pd
import xarray as xr

from daskml_dist import cells
from daskml_dist.errors import InvalidData
from daskml_dist.labelled._blocks import Cut, cut_alike
from daskml_dist.labelled._cells import CurvedOf, FactorsOf, FeaturesOf, Grid, MomentsOf
from daskml_dist.labelled._graphs import by_cells, fused
from daskml_dist.labelled._labels import refuse_other_labels
from daskml_dist.labelled._layout import Asked
from daskml_dist.labelled._matching import Matched, ordered, refuse_other_dims
from daskml_dist.losses import Loss
from daskml_dist.types import AnyArray, FloatArray

Evaluate = Callable[[Any], Any]

_NUMBERS = 1 << 22  # of y in a block that is cut from an array in memory: 32 MiB


@final
@dataclass(frozen=True)
class Strength:
    """alpha of an L2 penalty on the mean of losses whose weights add up to s: ``constant + inverse / s``."""

    constant: float = 0.0
    inverse: float = 0.0

    def __call__(self, weight: FloatArray) -> FloatArray:
        return self.constant + self.inverse / weight


@final
@dataclass(frozen=True)
class Maps:
    """What was found in all cells: (groups..., cells...) in the order of ``coords``.

    Attributes
    ----------
    w : (..., p). b, used, gap : (...).
    proven : whether all gaps are proofs. steps : the most that any cell took.
    coords : by dim, None for one without.
    """

    w: FloatArray
    b: FloatArray
    used: FloatArray
    gap: FloatArray
    proven: bool
    steps: int
    coords: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Field:
    """Matched data with their groups, cut in blocks of cells and samples."""

    data: Matched
    cut: Cut
    grid: Grid
    labels: AnyArray | None

    @property
    def shape(self) -> tuple[int, ...]:
        """(groups..., cells...)."""
        sizes = tuple(sum(self.cut.chunks[dim]) for dim in self.data.layout.cell_dims)
        return sizes if self.labels is None else (len(self.labels), *sizes)

    @property
    def coords(self) -> dict[str, Any]:
        """The labels of each dim of the result."""
        found: dict[str, Any] = {} if self.labels is None else {str(self.data.layout.group): self.labels}
        return found | {dim: self.cut.indexes.get(dim) for dim in self.data.layout.cell_dims}

    def assembled(self, parts: list[AnyArray]) -> AnyArray:
        """(k, groups..., cells...) of the (k, groups x cells of a block) of each block."""
        dims = self.data.layout.cell_dims
        whole = np.empty((len(parts[0]), *self.shape))
        spans = [list(pairwise(accumulate(self.cut.chunks[dim], initial=0))) for dim in dims]
        front = () if self.labels is None else (len(self.labels),)
        for part, span in zip(parts, product(*spans), strict=True):
            place = (slice(None),) * (1 + len(front)) + tuple(slice(*ends) for ends in span)
            lengths = tuple(end - start for start, end in span)
            whole[place] = part.reshape(len(part), *front, *lengths)
        return whole


def field_of(asked: Asked, data: Matched, evaluate: Evaluate, *, whole_samples: bool) -> Field:
    """Cut the data of a map; ``whole_samples``: each block has all samples of its cells."""
    parts, labels = dict(data.parts), None
    layout = data.layout
    if layout.group is not None:
        codes, labels = _groups(asked.fit_over, data, evaluate)
        parts["group"] = codes
    data = replace(data, parts=parts)
    arrays = data.arrays
    chunks = _chunks(data, whole_samples)
    cut = fused(cut_alike(arrays, data.outer, chunks))
    names = [str(column.name) if column.name is not None else "X" for column in data.columns]
    grid = Grid(
        n_cells=len(layout.cell_dims),
        n_samples=len(layout.sample_dims),
        columns=len(data.columns),
        names=tuple(parts),
        labels=(*names, *parts),
        places=cut.places,
        weight=data.weight,
        groups=0 if labels is None else len(labels),
        complete=layout.missing == "raise",
    )
    return Field(data, cut, grid, labels)


def _groups(fit_over: Any, data: Matched, evaluate: Evaluate) -> tuple[xr.DataArray, AnyArray]:
    """The number of the group of each sample, -1 where it has none, and the labels of the groups."""
    layout, y = data.layout, data.parts["y"]
    given = fit_over if isinstance(fit_over, xr.DataArray) else y.coords[layout.group]
    name = f"the group labels {layout.group!r}"
    refuse_other_dims(given, name, layout.sample_dims, "the dims of the samples")
    refuse_other_labels({"y": y, name: given})
    values = given.data if given.chunks is None else evaluate(given.data)
    codes, labels = pd.factorize(np.ravel(values), sort=True)
    if not len(labels):
        raise InvalidData(f"{name} are all missing.")
    coded = xr.DataArray(codes.reshape(given.shape), dims=given.dims)
    return ordered(coded, data.outer), np.asarray(labels)


def _chunks(data: Matched, whole_samples: bool) -> dict[str, tuple[int, ...]]:
    """Chunks that are not those of the data: all samples in one, and cells in pieces that fit."""
    layout, y = data.layout, data.parts["y"]
    lazy = any(array.chunks is not None for array in data.arrays)
    if lazy and not whole_samples:
        return {}
    sizes = dict(y.sizes)
    chunks: dict[str, tuple[int, ...]] = {}
    room = _NUMBERS
    for dim in reversed(layout.sample_dims):
        chunks[dim] = (sizes[dim],)
        if not whole_samples:  # in memory: samples are cut where they alone would be too many
            chunks[dim] = _pieces((sizes[dim],), max(room, 1))
        room //= max(chunks[dim])
    for dim in reversed(layout.cell_dims):
        own = y.chunksizes.get(dim, (sizes[dim],))
        chunks[dim] = _pieces(tuple(own), max(room, 1))
        room //= max(chunks[dim])
    return chunks


def _pieces(chunks: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Chunks of at most this length, whose borders are kept."""
    pieces: list[int] = []
    for length in chunks:
        parts = max(-(-length // most), 1)
        edges = np.linspace(0, length, parts + 1).astype(int)
        pieces += np.diff(edges).tolist()
    return tuple(pieces)


def least_squares(field: Field, evaluate: Evaluate, *, intercept: bool, alpha: float) -> Maps:
    """Minimise sum_t s_t (y_t - x_t'w - b)^2 + alpha |w|^2 in each cell."""
    grid, cut = field.grid, field.cut
    n = grid.n_cells
    whitening = cells.plain(field.data.n_features)
    if grid.shared:
        whitening = cells.whitening_of(evaluate(_features(field, intercept))[0])
    solve = _Solve(whitening, alpha, grid.shared)
    task = MomentsOf(grid, whitening, intercept)
    parts = evaluate(by_cells(cut, n, task, cells.join_moments, solve))
    chosen = {
        cell: np.flatnonzero(part[-1])
        for cell, part in zip(product(*map(range, cut.numblocks[:n])), parts, strict=True)
        if part[-1].any()
    }
    if chosen:
        factors = FactorsOf(grid, intercept)
        exact = evaluate(by_cells(cut, n, factors, cells.join_factors, _Exact(alpha), chosen=chosen))
        order = {cell: i for i, cell in enumerate(product(*map(range, cut.numblocks[:n])))}
        for (cell, which), found in zip(chosen.items(), exact, strict=True):
            parts[order[cell]] = np.array(parts[order[cell]])
            parts[order[cell]][:-2, which] = found
    *w, b, used, _ = field.assembled(parts)
    b = b if intercept else np.where(np.isnan(b), np.nan, 0.0)
    gap = np.where(np.isnan(b), np.nan, 0.0)
    return Maps(np.stack(w, axis=-1), b, used, gap, True, 1, field.coords)


def _features(field: Field, centre: bool) -> Any:
    """The factors of features that all cells share, lazily."""
    columns, n = field.grid.columns, field.grid.n_cells
    chunks = {dim: (sum(c),) if i < n else c for i, (dim, c) in enumerate(field.cut.chunks.items())}
    cut = replace(
        field.cut, arrays=field.cut.arrays[:columns], places=field.cut.places[:columns], chunks=chunks
    )
    return by_cells(cut, n, FeaturesOf(field.grid, centre), cells.join_factors, _itself)


def _itself(found: Any) -> Any:
    return found


@final
@dataclass(frozen=True)
class _Solve:
    """(p + 3, cells) from the moments: coefficients, intercept, samples, and what is doubtful."""

    whitening: cells.Whitening
    alpha: float
    shared: bool

    def __call__(self, moments: cells.Moments) -> AnyArray:
        turn = self.whitening
        solved = cells.solve_moments(moments, turn.ridge(self.alpha))
        w, b = turn.back(solved.w, solved.b) if self.shared else (solved.w, solved.b)
        return np.concatenate([w, b[None], solved.used[None], solved.doubtful[None]])


@final
@dataclass(frozen=True)
class _Exact:
    """(p + 1, cells) from the factors."""

    alpha: float

    def __call__(self, factors: cells.Factors) -> AnyArray:
        solved = cells.solve_factors(factors, self.alpha)
        return np.concatenate([solved.w, solved.b[None]])


def curved(
    field: Field,
    evaluate: Evaluate,
    *,
    loss: Loss,
    alpha: Strength,
    intercept: bool,
    tol: float,
    max_steps: int,
    classes: tuple[Any, Any] | None = None,
) -> Maps:
    """Minimise the mean of a loss and alpha |w|^2 / 2 in each cell."""
    grid = replace(field.grid, classes=classes)
    task = CurvedOf(grid, loss, alpha, intercept, tol, max_steps)
    parts = evaluate(by_cells(field.cut, grid.n_cells, task, None, _itself))
    *w, b, used, gap, proven, steps = field.assembled(parts)
    b = b if intercept else np.where(np.isnan(b), np.nan, 0.0)
    there = ~np.isnan(b)
    return Maps(
        np.stack(w, axis=-1), b, used, gap, bool(proven[there].all()), int(steps.max(initial=0)), field.coords
    )


def classes_of(y: xr.DataArray, evaluate: Evaluate) -> AnyArray:
    """The labels of y in ascending order, without what is missing; y is read once, unless it is bool."""
    if y.dtype.kind == "b":
        return np.array([False, True])
    cut = cut_alike((y,), tuple(map(str, y.dims)))
    return np.asarray(evaluate(by_cells(cut, 0, _distinct, _joined, _itself))[0])


def _distinct(block: Any, y: AnyArray) -> AnyArray:
    flat = np.ravel(y)
    return np.unique(flat[~pd.isna(flat)])


def _joined(a: AnyArray, b: AnyArray) -> AnyArray:
    return np.union1d(a, b)
