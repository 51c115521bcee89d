"""How much one request may ask for; all of it is checked before memory is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Limits:
    """Bounds of one request.

    Attributes
    ----------
    json_bytes : of a body in JSON.
    binary_bytes : of a body with binary tensors, its JSON included.
    rows : of a request.
    header_bytes : of the request line and all headers.
    seconds : to send a request in whole, and for it to be answered.
    """

    json_bytes: int = 256 * 1024
    binary_bytes: int = 16 * 1024 * 1024
    rows: int = 10_000
    header_bytes: int = 16 * 1024
    seconds: float = 10.0
