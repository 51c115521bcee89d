"""By a hash of a key, which is the same on every machine and in every run."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.errors import InvalidData
from daskml_dist.partition._strategy import Asks, Assignment, PartArray, Strategy
from daskml_dist.splits import Tally
from daskml_dist.types import AnyArray

HashArray = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@final
@dataclass(frozen=True)
class Hash(Strategy):
    """Rows of the same key together, by ``key_hash(key) % n_partitions``.

    Nothing is counted, and keys that were never seen before have their place: data that come later, or
    lie elsewhere, are cut alike. Sizes are equal only as far as keys are many and none is frequent.
    """

    asks: ClassVar[Asks] = "keys"

    def _settle(self, tally: Tally, features: AnyArray | None) -> Assignment:
        return Hashed(self.n_partitions)


@final
@dataclass(frozen=True)
class Hashed(Assignment):
    """The hash of the key, modulo the number of partitions."""

    n_partitions: int

    def of(self, chunk: int, rows: int, column: Any = None) -> PartArray:
        try:
            hashes = key_hash(column)
        except InvalidData as error:
            raise InvalidData(f"{error} (chunk {chunk} of keys)") from None
        return (hashes % np.uint64(self.n_partitions)).astype(np.int32)


def key_hash(keys: AnyArray) -> HashArray:
    """(n,) 64-bit hashes of keys; stable across processes, machines and versions.

    Integers, booleans and dates are hashed by their 64 bits, numbers with a fraction by those of the
    float64; an integral float has the hash of the integer. Text (UTF-8) is hashed by BLAKE2b of 8 bytes,
    little-endian. Numbers go through the output function of SplitMix64 (Steele, Lea and Flood 2014).

    Parameters
    ----------
    keys : (n,) numbers, booleans, datetimes or text.

    Raises
    ------
    InvalidData
        Missing keys, or of another type.
    """
    kind = keys.dtype.kind
    if kind in "biu":
        return splitmix64(keys.astype(np.uint64 if kind == "u" else np.int64).view(np.uint64))
    if kind == "f":
        return splitmix64(_bits(keys.astype(np.float64)))
    if kind in "mM":
        _refuse_missing(np.isnat(keys))
        return splitmix64(keys.astype(f"{kind}8[ns]").view(np.uint64))
    return _of_text(keys)


def splitmix64(bits: HashArray) -> HashArray:
    """The first output of SplitMix64 that is seeded with each number."""
    with np.errstate(over="ignore"):
        z = bits + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX[0]
        z = (z ^ (z >> np.uint64(27))) * _MIX[1]
        return np.asarray(z ^ (z >> np.uint64(31)))


def _bits(keys: NDArray[np.float64]) -> HashArray:
    """64 bits of each number: those of the integer where it is one."""
    _refuse_missing(np.isnan(keys))
    whole = (keys == np.floor(keys)) & (np.abs(keys) < 2.0**63)
    integers = np.where(whole, keys, 0.0).astype(np.int64).view(np.uint64)
    return np.where(whole, integers, keys.view(np.uint64))


def _of_text(keys: AnyArray) -> HashArray:
    """The hash of each string; each distinct one is hashed once."""
    seen: dict[Any, int] = {}
    out = np.empty(len(keys), dtype=np.uint64)
    for i, key in enumerate(keys.tolist()):
        known = seen.get(key)
        if known is None:
            known = seen[key] = _of_one(key)
        out[i] = known
    return out


def _of_one(key: Any) -> int:
    if isinstance(key, bytes | str):
        text = key.encode() if isinstance(key, str) else key
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
    number = np.asarray(key)
    if number.ndim == 0 and number.dtype.kind in "biufmM":
        return int(key_hash(number[None])[0])
    raise InvalidData(f"keys holds {key!r} of type {type(key).__name__}; expected numbers, dates or text.")


def _refuse_missing(missing: NDArray[np.bool_]) -> None:
    if missing.any():
        raise InvalidData(
            f"keys holds {int(missing.sum())} missing values: a row without a key has no partition. Fill "
            "them in, or drop the rows"
        )
