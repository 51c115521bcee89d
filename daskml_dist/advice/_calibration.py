"""From what was timed to the constants of a machine: straight lines through pairs of measurements.

seconds(rows, p) = chunk + rows (row + p element), and with the Hessian + number numbers + rows pairs product
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.advice._machine import Machine
from daskml_dist.cluster.calibrate import Measured, Room, Trial
from daskml_dist.kernels import Point, Sweep
from daskml_dist.losses import Loss

_CHUNK_BYTES = 4 * 2.0**20  # of a large chunk
_MOST_BYTES = 32 * 2.0**20  # of all chunks of a thread: beyond its share of the caches
_MOST_ROWS = 1 << 16
_FEW_ROWS, _FEW_CHUNKS = 64, 64
_HESSIAN_FEATURES = 512  # at most, in trials with the Hessian: a product costs the same with more
_MOST_PRODUCTS = 4e7  # of a trial with the Hessian
_MOST_NUMBERS = 2e6  # of the partial sums of small chunks


@final
@dataclass(frozen=True)
class Shape:
    """What a thread has to do, as far as trials are to be like it.

    Attributes
    ----------
    features : p. elements : p, or the stored entries of a row. sparse : whether they are that.
    dtype : of X. shard_bytes : of X that a thread has. memory : bytes of memory that it has.
    """

    features: int
    elements: float
    sparse: bool
    dtype: str
    shard_bytes: float
    memory: float = np.inf


def trials(loss: Loss, shape: Shape, *, compiled: bool) -> dict[str, Trial]:
    """What to time: large and small chunks, with and without the Hessian, and chunks of one feature."""
    p, width = shape.features, 8.0 * max(shape.elements, 1.0)
    h = min(p, _HESSIAN_FEATURES)
    entries = max(round(shape.elements), 1) if shape.sparse else None
    large = int(np.clip(_CHUNK_BYTES / width, 8, _MOST_ROWS))
    few = max(min(_FEW_ROWS, large // 4), 1)
    most = min(_MOST_BYTES, shape.shard_bytes, shape.memory / 16)
    many = max(int(most / (large * width)), 1)
    numbers = h * (h + 1) / 2
    hessian_many = max(min(int(_MOST_PRODUCTS / (large * numbers)), many), 1)
    hessian_rows = int(np.clip(_MOST_PRODUCTS / numbers / hessian_many, min(4 * few, large), large))
    hessian_few = int(np.clip(_MOST_NUMBERS / numbers, 2, _FEW_CHUNKS))

    def trial(rows: int, chunks: int, features: int, hessian: bool = False) -> Trial:
        at = Point(np.full((1, features), 1e-2), np.zeros(1), np.zeros(features), True)
        sweep = Sweep(loss, at, hessian=hessian, compiled=compiled)
        stored = None if entries is None else min(entries, features)
        return Trial(sweep, rows, chunks, features, shape.dtype, stored)

    return {
        "large": trial(large, many, p),
        "small": trial(few, _FEW_CHUNKS, p),
        "one": trial(large, 1, 1),
        "hessian large": trial(hessian_rows, hessian_many, h, True),
        "hessian small": trial(few, hessian_few, h, True),
    }


def machine_of(room: Room, measured: Measured, tried: dict[str, Trial], *, in_process: bool) -> Machine:
    """The constants that explain what was measured."""
    seconds, large, small = measured.seconds_a_chunk, tried["large"], tried["small"]
    elements = _elements(large)
    by_row = _rise(seconds["large"], seconds["small"], large.rows, small.rows)
    chunk = max(seconds["small"] - small.rows * by_row, 0.1 * seconds["small"])
    by_one = max(seconds["one"] - chunk, 0.0) / tried["one"].rows
    element = (by_row - by_one) / (elements - 1) if elements > 1 else 0.0
    element = float(np.clip(element, 0.0, by_row / elements))
    row = max(by_row - elements * element, 0.0)

    big, little = tried["hessian large"], tried["hessian small"]
    wide = _elements(big)
    with_hessian = _rise(seconds["hessian large"], seconds["hessian small"], big.rows, little.rows)
    product = max(with_hessian - row - wide * element, 0.0) / (wide * (wide + 1) / 2)
    left = seconds["hessian small"] - chunk - little.rows * with_hessian
    number = max(left, 0.0) / (big.features * (big.features + 1) / 2)

    return Machine(
        workers=room.workers,
        threads=room.threads,
        memory=room.memory,
        element=element,
        row=row,
        product=product,
        chunk=chunk,
        number=number,
        task=measured.task,
        latency=max(measured.idle_pass - measured.task * measured.shards, 0.0),
        hop=measured.hop,
        bandwidth=measured.bandwidth,
        in_process=in_process,
        measured=True,
    )


def _elements(trial: Trial) -> float:
    return float(trial.features if trial.entries is None else trial.entries)


def _rise(more: float, less: float, many: int, few: int) -> float:
    """Seconds for each row more; the whole time where noise makes the line fall."""
    return (more - less) / (many - few) if more > less and many > few else more / many
