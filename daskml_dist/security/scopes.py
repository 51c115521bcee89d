"""What a bearer may do, and the two complaints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import final

from daskml_dist.errors import DaskmlDistError

_SCOPE = re.compile(r"(?:predict|explain|feedback):(?:\*|[a-z0-9][a-z0-9_.-]{0,63})|metrics|deploy|admin")


class Unauthorized(DaskmlDistError, PermissionError):
    """Nobody that is known asks: no token, an unknown, expired or revoked one. HTTP 401."""


class KeysComing(Unauthorized):
    """A token names a key that is not known here, and the provider's keys are being read again.

    Parameters
    ----------
    pending : whether they still are; afterwards the token can be looked at once more.
    """

    def __init__(self, pending: Callable[[], bool]) -> None:
        super().__init__("the signed token names a key that is not known here yet; ask again in a moment")
        self.pending = pending


class Forbidden(DaskmlDistError, PermissionError):
    """The token is good, and not for this. HTTP 403."""


@final
@dataclass(frozen=True, slots=True)
class Token:
    """Who asks.

    Attributes
    ----------
    id : names the token in logs and lists; no secret.
    scopes : what it may do: "predict:NAME", "explain:NAME", "feedback:NAME" (NAME may be ``*``), "metrics",
        "deploy", and "admin", which may do everything.
    created, expires, revoked : seconds since the epoch; None for never.
    note : free text.
    """

    id: str
    scopes: frozenset[str]
    created: float | None = None
    expires: float | None = None
    revoked: float | None = None
    note: str = field(default="")

    def demand(self, scope: str) -> None:
        """Raise `Forbidden` unless the token may do this."""
        if not self.allows(scope):
            raise Forbidden(f"the token {self.id} is not for {scope!r}; ask for one with that scope")

    def allows(self, scope: str) -> bool:
        """Whether the token may do this."""
        scopes = self.scopes
        return scope in scopes or "admin" in scopes or f"{scope.partition(':')[0]}:*" in scopes


def check_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """The scopes, or a complaint that names the one that is none."""
    if isinstance(scopes, str):
        raise ValueError(f"scopes is the text {scopes!r}; give a list of scopes")
    found = frozenset(scopes)
    for scope in sorted(found):
        if not _SCOPE.fullmatch(scope):
            raise ValueError(
                f"{scope!r} is no scope; there are predict:NAME, explain:NAME and feedback:NAME (NAME may be "
                "*), metrics, deploy and admin"
            )
    if not found:
        raise ValueError("a token without scopes may do nothing; give one or more")
    return found


def known_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """Those of somebody else's scopes that mean something here."""
    return frozenset(scope for scope in scopes if _SCOPE.fullmatch(scope))
