"""Heads of messages that came before: the same bytes mean the same, and are not parsed again.

Clients that keep their connection say the same with each request but for its length, and so do replicas with
each answer.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar, final

_END = b"\r\n\r\n"
_MOST, _LONGEST = 4096, 1024  # heads, and bytes of each


class Sized(Protocol):
    """Whoever knows the length of the body, in bytes."""

    @property
    def length(self) -> int:
        """Of the body."""
        ...


Known = TypeVar("Known", bound=Sized)


@final
class KnownHeads(Generic[Known]):
    """What is known of heads, by their bytes."""

    def __init__(self) -> None:
        self._known: dict[bytes, Known] = {}

    def find(self, data: bytes) -> tuple[Known, bytes] | None:
        """What is known of the head of a message, and its body; None unless ``data`` is just this message.

        Parameters
        ----------
        data : what came, where a message may begin.
        """
        end = data.find(_END)
        known = self._known.get(data[:end])
        if known is None or known.length != len(data) - end - len(_END):
            return None
        return known, data[end + len(_END) :]

    def keep(self, data: bytes, known: Known) -> None:
        """Remember the head of a message that was parsed, if ``data`` is just this message."""
        end = data.find(_END)
        if 0 < end <= _LONGEST and known.length == len(data) - end - len(_END):
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[data[:end]] = known
