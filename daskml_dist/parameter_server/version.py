"""A version of a range of the parameters, with the hash that tells whether it came over whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.errors import DaskmlDistError
from daskml_dist.types import FloatArray


class VersionCorrupt(DaskmlDistError):
    """Parameters that were pulled are not those that the server sent."""


@final
@dataclass(frozen=True)
class Version:
    """What a node pulls.

    Attributes
    ----------
    number : how many updates it has.
    theta : (K, m) where gradients are to be taken.
    digest : 64 bits of a hash of both.
    """

    number: int
    theta: FloatArray
    digest: int

    @classmethod
    def of(cls, number: int, theta: FloatArray) -> Version:
        """The version with its hash."""
        return cls(number, theta, digest_of(number, theta))

    def check(self, server: int) -> None:
        """Raise VersionCorrupt where the hash does not fit."""
        if digest_of(self.number, self.theta) != self.digest:
            raise VersionCorrupt(
                f"Version {self.number} of the parameters of server {server} does not have the hash that the "
                "server gave it: it was changed on the way. Look into memory and network of the nodes."
            )


def digest_of(number: int, theta: FloatArray) -> int:
    """64 bits of BLAKE2b."""
    digest = hashlib.blake2b(np.ascontiguousarray(theta).tobytes(), digest_size=8, key=b"%d" % number)
    return int.from_bytes(digest.digest(), "big")
