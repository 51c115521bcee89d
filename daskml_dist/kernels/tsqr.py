"""The triangular factor of tall and skinny data, for problems that a Gram matrix cannot resolve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import block_rows
from daskml_dist.kernels.moments import weighted_rows
from daskml_dist.kernels.refusal import refuse_non_finite
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class TSQR(Kernel[FloatArray]):
    """R with R'R = sum_i s_i u_i u_i', u = (1, x - x_shift, y - offset - y_shift), never squared.

    Demmel, Grigori, Hoemmen and Langou 2012, "Communication-optimal parallel and sequential QR and LU
    factorizations". Factors are merged along a fixed binary tree over chunk ids: nodes are (level,
    position), and two siblings are merged as soon as they meet, so the bits depend on the chunks alone.
    """

    x_shift: FloatArray
    y_shift: FloatArray

    def chunk(self, chunk: Chunk) -> Part:
        p, t = self.x_shift.shape[0], self.y_shift.shape[0]
        order = [p + t, *range(p + t)]  # the column of ones first: the rest of R is centred
        tall = max(4 * (p + t + 1), block_rows(p))
        pile: list[FloatArray] = [np.zeros((0, p + t + 1))]
        for rows in weighted_rows(chunk, self.x_shift, self.y_shift):
            pile.append(rows[:, order])
            if sum(block.shape[0] for block in pile[1:]) >= tall:
                pile = [factor(pile)]
        whole = factor(pile)
        if not np.isfinite(whole).all():
            refuse_non_finite(chunk)
        return Part(gathered={(0, chunk.id): whole})

    def fold(self, gathered: dict[Any, Any]) -> dict[Any, Any]:
        return merged(gathered)

    def finish(self, total: Total) -> FloatArray:
        return joined(total.gathered)


def merged(gathered: Mapping[Any, FloatArray]) -> dict[Any, FloatArray]:
    """Nodes (..., level, position), in which each two siblings were replaced by their parent."""
    nodes = dict(gathered)
    for node in sorted(gathered):
        while node in nodes:
            *tree, level, position = node
            left, right = (*tree, level, position & ~1), (*tree, level, position | 1)
            if left not in nodes or right not in nodes:
                break
            node = (*tree, level + 1, position >> 1)
            nodes[node] = factor([nodes.pop(left), nodes.pop(right)])
    return nodes


def joined(nodes: Mapping[Any, FloatArray]) -> FloatArray:
    """The factor of all nodes of one tree."""

    def first_chunk(node: Any) -> int:
        return int(node[-1] << node[-2])

    return factor([nodes[node] for node in sorted(nodes, key=first_chunk)])


def factor(pile: list[FloatArray]) -> FloatArray:
    """(min(m, q), q) the triangular factor of (m, q) rows, given in blocks."""
    return np.asarray(np.linalg.qr(np.concatenate(pile), mode="r"))
