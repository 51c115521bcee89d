"""OpenID Connect: somebody else's tokens, whose signatures we check. No login page, no session."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from daskml_dist.security.loopback import is_loopback
from daskml_dist.security.scopes import KeysComing, Token, Unauthorized, known_scopes

if TYPE_CHECKING:
    from jwt import PyJWK

_ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}  # by kind of key: a token does not choose
_TIMEOUT = 5.0
_FRESH, _HURRY = 300.0, 30.0  # seconds between fetches: usually, and when a key is not known
_MOST_BYTES, _MOST_KEPT = 1_000_000, 1024
_LEEWAY = 30.0  # seconds that clocks may differ
_LOG = logging.getLogger(__name__)


def oidc(issuer: str, audience: str, jwks: str | os.PathLike[str], *, claim: str = "scope") -> OpenId:
    """A checker of tokens like `Tokens`, for those that an OpenID Connect provider signs.

    Parameters
    ----------
    issuer : what "iss" must be.
    audience : what "aud" must name.
    jwks : the provider's keys: a file, or an https URL (http on this machine alone).
    claim : where the scopes are: text with spaces between, or a list.

    Raises
    ------
    ImportError
        Without PyJWT: ``pip install "daskml_dist[oidc]"``.
    ValueError
        For keys that cannot be read, or that are not RSA or P-256.
    """
    return OpenId(issuer, audience, _Keys(jwks), claim)


@final
class OpenId:
    """Checks signed tokens: RS256 or ES256, "iss", "aud", "exp" and "sub" must be there and right."""

    def __init__(self, issuer: str, audience: str, keys: _Keys, claim: str) -> None:
        self._issuer, self._audience, self._keys, self._claim = issuer, audience, keys, claim
        self._kept: dict[bytes, Token] = {}

    def check(self, secret: str, scope: str) -> Token:
        """Who asks, if the token is good for this; ``id`` is the token's "sub".

        Raises
        ------
        Unauthorized
            For a token that is not signed by the issuer for this audience, or has expired. `KeysComing`,
            which is one, where the key is unknown and the provider is being asked: look again when it has
            answered.
        Forbidden
            For one without the scope.
        """
        digest = sha256(secret.encode("utf-8", "surrogatepass")).digest()
        token = self._kept.get(digest)
        if token is None or token.expires is None or time.time() >= token.expires + _LEEWAY:
            token = self._verified(secret)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[digest] = token
        token.demand(scope)
        return token

    def _verified(self, secret: str) -> Token:
        import jwt

        try:
            key, algorithm = self._keys.of(jwt.get_unverified_header(secret).get("kid"))
            claims = jwt.decode(
                secret,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "aud", "iss", "sub"]},
            )
            expires = float(claims["exp"])
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            if isinstance(error, jwt.InvalidSignatureError):
                self._keys.hurry()  # the provider may have another key under this name, or without one
            raise Unauthorized(f"the signed token is not accepted: {type(error).__name__}") from error
        return Token(str(claims["sub"]), self._scopes(claims), expires=expires)

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[str]:
        told = claims.get(self._claim, ())
        listed = told.split() if isinstance(told, str) else told if isinstance(told, list) else ()
        return known_scopes(scope for scope in listed if isinstance(scope, str))


class _Keys:
    """The provider's keys; read again in a thread, so that no request waits for the provider."""

    def __init__(self, source: str | os.PathLike[str]) -> None:
        self._source = os.fspath(source)
        _check_source(self._source)
        self._reading = threading.Lock()
        self._keys = _read(self._source)
        self._then, self._hurried = time.monotonic(), -math.inf

    def of(self, name: object) -> tuple[PyJWK, str]:
        """The key of that name and its algorithm; a token without a name needs there to be one key.

        Raises
        ------
        KeysComing
            It is not known, and whether the provider has it by now is being asked: at most every 30 s.
        Unauthorized
            It is not known.
        """
        if time.monotonic() - self._then > _FRESH:
            self._refresh()
        found = self._named(name)
        if found is None and isinstance(name, str):
            self.hurry()
            found = self._named(name)  # the reading may just have ended
        if found is None:
            raise Unauthorized("the signed token names a key that is not known here")
        return found

    def hurry(self) -> None:
        """Ask the provider again, 30 s after the last hurry or later, since the keys known here do not do.

        Raises
        ------
        KeysComing
            It is being asked.
        """
        now = time.monotonic()
        began = now - self._hurried > _HURRY and self._refresh()
        if began:
            self._hurried = now
        if began or self._reading.locked():  # what began may have ended by now: there are other keys
            raise KeysComing(self._reading.locked)

    def _named(self, name: object) -> tuple[PyJWK, str] | None:
        if name is None and len(self._keys) == 1:
            [found] = self._keys.values()
            return found
        return self._keys.get(name) if isinstance(name, str) else None

    def _refresh(self) -> bool:
        """Begin to read the keys; False where that is under way."""
        if not self._reading.acquire(blocking=False):
            return False
        self._then = time.monotonic()
        threading.Thread(target=self._read_again, name="keys of tokens", daemon=True).start()
        return True

    def _read_again(self) -> None:
        try:
            self._keys = _read(self._source)
        except (ValueError, OSError) as error:
            _LOG.warning("the keys of %s cannot be read, those known stay: %s", self._source, error)
        finally:
            self._reading.release()


def _check_source(source: str) -> None:
    parts = urlsplit(source)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(f"{source} is not encrypted, and whoever sits between could give keys: use https")


def _read(source: str) -> dict[str, tuple[PyJWK, str]]:
    try:
        import jwt
    except ImportError as error:
        raise ImportError('signed tokens need PyJWT: pip install "daskml_dist[oidc]"') from error
    try:
        listed = json.loads(_bytes(source))["keys"]
        keys = [(entry, jwt.PyJWK(entry)) for entry in listed if _is_ours(entry)]
    except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError, URLError) as error:
        raise ValueError(f"{source} gives no JSON Web Key Set ({error!r})") from error
    if not keys:
        raise ValueError(f"{source} has no RSA or P-256 key for signatures")
    return {str(entry.get("kid")): (key, _ALGORITHMS[entry["kty"]]) for entry, key in keys}


def _is_ours(entry: Mapping[str, Any]) -> bool:
    kind = entry.get("kty")
    return (
        kind in _ALGORITHMS
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", _ALGORITHMS[kind]) == _ALGORITHMS[kind]
        and (kind != "EC" or entry.get("crv") == "P-256")
    )


def _bytes(source: str) -> bytes:
    if urlsplit(source).scheme in ("http", "https"):
        with urlopen(source, timeout=_TIMEOUT) as answer:
            content: bytes = answer.read(_MOST_BYTES + 1)
    else:
        content = Path(source).read_bytes()
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{source} has more than {_MOST_BYTES} bytes")
    return content
