"""How much may be asked at once and in a second: plain rules, no clock and no waiting of their own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import final

from daskml_dist.errors import DaskmlDistError


class TooLarge(DaskmlDistError, ValueError):
    """A request is larger than the limits allow. HTTP 413."""


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for.

    Attributes
    ----------
    json_bytes, binary_bytes : of a body.
    rows : of a request.
    header_bytes : of all headers together.
    seconds : until an answer, all attempts together.
    """

    json_bytes: int = 256_000
    binary_bytes: int = 16_000_000
    rows: int = 10_000
    header_bytes: int = 16_384
    seconds: float = 10.0

    def check_body(self, length: int, *, binary: bool) -> None:
        """Raise `TooLarge` for a body of more bytes; ask before it is read, and while it is."""
        most = self.binary_bytes if binary else self.json_bytes
        if length > most:
            kind = "binary" if binary else "JSON"
            raise TooLarge(f"a body of {length} bytes; at most {most} are taken as {kind}. Send fewer rows")

    def check_shape(self, shape: Sequence[int], *, values: int) -> None:
        """Raise for a shape that is not that of the values that came, before anything is allocated.

        Raises
        ------
        TooLarge
            For more rows than the limit.
        ValueError
            For sizes that are negative or whose product is not `values`.
        """
        if any(size < 0 for size in shape):
            raise ValueError(f"the shape {list(shape)} has a negative size")
        if prod(shape) != values:  # whole numbers of Python: nothing overflows
            raise ValueError(f"the shape {list(shape)} needs {prod(shape)} values, and {values} came")
        if shape and shape[0] > self.rows:
            raise TooLarge(f"{shape[0]} rows; at most {self.rows} are taken at once. Send fewer a request")


@final
class TokenBucket:
    """Refills at a rate up to a burst; what is taken beyond has to wait.

    Parameters
    ----------
    rate : requests a second in the long run.
    burst : requests at once after a pause.
    now : seconds of any clock that does not go back.

    Examples
    --------
    >>> bucket = TokenBucket(rate=2.0, burst=3, now=0.0)
    >>> [bucket.take(now=0.0) for _ in range(4)]
    [0.0, 0.0, 0.0, 0.5]
    """

    __slots__ = ("_burst", "_left", "_rate", "_then")

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        if not (rate > 0 and burst >= 1):
            raise ValueError(f"rate={rate}, burst={burst}; give a positive rate and a burst of 1 or more")
        self._rate, self._burst = rate, burst
        self._left, self._then = burst, now

    def take(self, *, now: float) -> float:
        """0.0 if a request may go; else after how many seconds one may, and nothing is taken."""
        self._left = min(self._burst, self._left + max(now - self._then, 0.0) * self._rate)
        self._then = max(now, self._then)
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate


@final
class Rates:
    """A bucket for each bearer.

    Parameters
    ----------
    rate, burst : of each `TokenBucket`.
    most : bearers that are remembered; who asked longest ago is forgotten first, and starts anew.
    """

    def __init__(self, *, rate: float, burst: float, most: int = 10_000) -> None:
        TokenBucket(rate=rate, burst=burst, now=0.0)  # complains
        self._rate, self._burst, self._most = rate, burst, most
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, bearer: str, *, now: float) -> float:
        """0.0 if this bearer's request may go; else the seconds for Retry-After."""
        bucket = self._buckets.get(bearer)
        if bucket is None:
            bucket = self._buckets[bearer] = TokenBucket(rate=self._rate, burst=self._burst, now=now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(bearer)
        return bucket.take(now=now)
