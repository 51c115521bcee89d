"""Products with the Hessians of many problems over the same rows: their margins are one matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daskml_dist.kernels._base import Part
from daskml_dist.kernels.hessian_vector import Along, HessianVector
from daskml_dist.kernels.rows import blocks
from daskml_dist.kernels.stacked_sweep import different, rows_key, stacked_by, weights_of
from daskml_dist.kernels.weights import weighted
from daskml_dist.types import Chunk

Asked = tuple[HessianVector, Chunk]


def multiplied(asked: Sequence[Asked]) -> list[Part]:
    """The parts of these products; those of one vector each are made together where their rows are the same.

    Parameters
    ----------
    asked : each product with the chunk as its problem sees it.
    """
    keys = [
        rows_key(product, chunk)
        if len(product.vectors) == 1 and len(product.point.w) == 1 and not product.point.joint
        else None
        for product, chunk in asked
    ]
    return stacked_by(keys, asked, _stacked, 1)


def _stacked(asked: Sequence[Asked]) -> list[Part]:
    first, chunk = asked[0]
    assert chunk.X is not None
    point, loss, problems = first.point, first.loss, len(asked)
    direction = Along.of(point.at(np.concatenate([product.vectors for product, _ in asked])))
    at = Along.of(point.at(np.concatenate([product.point.theta for product, _ in asked])))
    weights, columns = weights_of([seen for _, seen in asked])
    targets, own = different([seen.y for _, seen in asked])
    products, sums = np.zeros((chunk.X.shape[1], problems)), np.zeros(problems)
    for where, x in blocks(chunk.X, problems, margins=problems):
        changes = direction.margins(x)  # (B, K)
        if not loss.quadratic:  # the curvature of a quadratic loss is 1 everywhere
            z = at.margins(x)
            if chunk.offset is not None:
                z += chunk.offset[where][:, None]
            changes *= loss.value_slope_curvature(targets[:, where][own].T, z)[2]
        if weights is not None:
            changes = weighted(weights[:, where][columns].T, changes)
        products += x.T @ changes
        sums += changes.sum(axis=0)
    if point.intercept:
        products -= np.outer(point.centre, sums)
    rows = np.column_stack([products.T, sums]) if point.intercept else np.ascontiguousarray(products.T)
    return [Part({"products": row[None]}) for row in rows]
