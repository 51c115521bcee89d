"""Waiting for the keys of tokens that a provider signs: the gateway goes on meanwhile."""

from __future__ import annotations

import asyncio
from typing import final

from daskml_dist.security import KeysComing
from daskml_dist.serve.refusals import Refused

MOST = 64
"""Requests that wait at once; whoever makes up names of keys cannot fill the gateway with them."""
PATIENCE = 6.0
"""Seconds; more than reading the keys may take."""
_LOOK = 0.01


@final
class WaitingRoom:
    """Requests whose tokens name keys that are being read.

    Parameters
    ----------
    most : of them. patience : seconds.
    """

    def __init__(self, most: int = MOST, patience: float = PATIENCE) -> None:
        self._most, self._patience = most, patience
        self._waiting = 0

    async def wait(self, coming: KeysComing) -> None:
        """Wait until the keys are read.

        Raises
        ------
        Refused
            401 where too many wait, or it takes too long.
        """
        if self._waiting >= self._most:
            raise Refused(401, str(coming), "token")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                while coming.pending():
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            raise Refused(401, str(coming), "token") from None
        finally:
            self._waiting -= 1
