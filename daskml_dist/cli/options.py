"""What the user asked for, as one typed record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class FitOptions:
    """The arguments of ``daskml-dist fit``; None where the default depends on the model or the data."""

    file: str
    target: str
    model: str | None = None
    format: str | None = None
    weight: str | None = None
    exposure: str | None = None
    drop: tuple[str, ...] = ()
    categories: str = "onehot"
    max_levels: int = 500
    missing: str = "refuse"
    na_values: tuple[str, ...] = ()
    sep: str | None = None
    test_size: float = 0.2
    seed: int = 0
    C: float | None = None
    alpha: float | None = None
    tol: float | None = None
    max_iter: int | None = None
    certify: bool = False
    checkpoint: str | None = None
    workers: int | None = None
    scheduler: str | None = None
    memory_limit: str | None = None
    blocksize: int | None = 16 << 20
    out: str | None = None
    overwrite: bool = False
    register: str | None = None
    alias: str | None = None
    registry: str | None = None
    personal: tuple[str, ...] = ()
    quiet: bool = False
