"""Tokens: 256 random bits shown once, of which a file keeps the SHA-256."""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, final

from daskml_dist.errors import DaskmlDistError
from daskml_dist.security.files import check_private, locked, write_private
from daskml_dist.security.scopes import Token, Unauthorized, check_scopes

_FORMAT = {"format": "daskml_dist.tokens", "format_version": 1}
_INDEX = 16
_LOOK = 1.0  # seconds between two looks at the file
_LOG = logging.getLogger(__name__)


class TokensInvalid(DaskmlDistError, ValueError):
    """The file of tokens is damaged, or is none."""


@final
class Tokens:
    """Makes, checks and revokes tokens; several processes may share the file.

    Parameters
    ----------
    path : of a JSON file, mode 0600; created with the first token. What another process changes in it counts
        here a second later. A file that has become unreadable lets nobody in.

    Raises
    ------
    FileInsecure
        For a file that others can read.
    TokensInvalid
        For a damaged one.

    Examples
    --------
    >>> import tempfile
    >>> tokens = Tokens(Path(tempfile.mkdtemp()) / "tokens.json")
    >>> name, secret = tokens.create(["predict:claims"], expires=3600, note="the web shop")
    >>> tokens.check(secret, "predict:claims").id == name
    True
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._seen: tuple[int, ...] | None = None
        self._next_look = 0.0
        self._known: dict[
            str, tuple[str, Token]
        ] = {}  # by the first digits; all are compared in constant time
        if self._path.exists():
            self._known = _indexed(_read(self._path))

    def create(
        self, scopes: Sequence[str], *, expires: float | None = None, note: str = ""
    ) -> tuple[str, str]:
        """Make a token.

        Parameters
        ----------
        scopes : what it may do (`Token.scopes`).
        expires : seconds from now; None for never.
        note : free text, kept in the file.

        Returns
        -------
        id, secret : the secret is kept nowhere.
        """
        now = time.time()
        if expires is not None and not expires > 0:
            raise ValueError(f"expires={expires}; give seconds from now, or None for never")
        end = None if expires is None else now + expires
        token = Token(secrets.token_hex(4), check_scopes(scopes), created=now, expires=end, note=note)
        secret = f"dml_{secrets.token_urlsafe(32)}"
        with locked(self._path):
            known = self._now()
            self._write({**known, _digest(secret): token})
        return token.id, secret

    def check(self, secret: str, scope: str) -> Token:
        """Who asks, if the secret is good for this.

        Raises
        ------
        Unauthorized
            For an empty, unknown, expired or revoked secret.
        Forbidden
            For one without the scope.
        """
        now = time.monotonic()
        if now >= self._next_look:
            self._look(now)
        digest = _digest(secret)
        known, token = self._known.get(digest[:_INDEX], (digest, None))
        if token is None or not hmac.compare_digest(known, digest):
            raise Unauthorized("the token is not known here; ask for a new one")
        if token.revoked is not None:
            raise Unauthorized(f"the token {token.id} was revoked")
        if token.expires is not None and time.time() >= token.expires:
            raise Unauthorized(f"the token {token.id} has expired; ask for a new one")
        token.demand(scope)
        return token

    def digests(self, scope: str) -> frozenset[str]:
        """The SHA-256 of each secret that is good for this now, in hexadecimal digits."""
        self._look(time.monotonic())
        now = time.time()
        return frozenset(
            digest
            for digest, token in self._known.values()
            if token.revoked is None
            and (token.expires is None or now < token.expires)
            and token.allows(scope)
        )

    def revoke(self, id: str) -> None:
        """Let a token be good for nothing from now on; it stays in the list."""
        with locked(self._path):
            known = self._now()
            digests = [digest for digest, token in known.items() if token.id == id]
            if not digests:
                raise KeyError(f"there is no token {id!r}")
            known.update({d: replace(known[d], revoked=known[d].revoked or time.time()) for d in digests})
            self._write(known)

    def list(self) -> list[Token]:
        """All tokens, the oldest first, without secrets."""
        return sorted(self._now().values(), key=lambda token: token.created or 0.0)

    def _now(self) -> dict[str, Token]:
        return _read(self._path) if self._path.exists() else {}

    def _write(self, known: dict[str, Token]) -> None:
        listed = [{"sha256": digest, **_described(token)} for digest, token in known.items()]
        write_private(self._path, json.dumps({**_FORMAT, "tokens": listed}, indent=1).encode())
        self._known, self._next_look = _indexed(known), 0.0

    def _look(self, now: float) -> None:
        """Read the file anew if it is another one; whoever cannot be read is nobody."""
        self._next_look = now + _LOOK
        try:
            status = os.stat(self._path)
            seen = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode)
            if seen != self._seen:
                self._known = _indexed(_read(self._path))
                self._seen = seen
        except (OSError, TokensInvalid) as error:
            if self._known or not isinstance(error, FileNotFoundError):
                _LOG.error("no token is accepted: %s", error)
            self._known, self._seen = {}, None


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _indexed(known: dict[str, Token]) -> dict[str, tuple[str, Token]]:
    return {digest[:_INDEX]: (digest, token) for digest, token in known.items()}


def _described(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "scopes": sorted(token.scopes),
        "created": token.created,
        "expires": token.expires,
        "revoked": token.revoked,
        "note": token.note,
    }


def _read(path: Path) -> dict[str, Token]:
    check_private(path)
    try:
        content = json.loads(path.read_bytes())
        if {key: content.pop(key) for key in _FORMAT} != _FORMAT or set(content) != {"tokens"}:
            raise ValueError("another format")
        return dict(_token(entry) for entry in content["tokens"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TokensInvalid(
            f"{path} is no file of tokens ({error}); restore it, or make new tokens"
        ) from error


def _token(entry: dict[str, Any]) -> tuple[str, Token]:
    digest = entry.pop("sha256")
    if len(bytes.fromhex(digest)) != 32:
        raise ValueError("a digest of another length")
    for key in ("created", "expires", "revoked"):
        if not isinstance(entry[key], int | float | None):
            raise TypeError(f"{key} is no time")
    return digest, Token(**{**entry, "scopes": check_scopes(entry["scopes"])})
