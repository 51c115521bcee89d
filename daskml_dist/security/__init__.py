"""Security: who may ask, over which wire, how much, what is written down, and what never is.

Names are imported when first used: tokens and limits need the standard library alone, certificates
need cryptography, and OpenID Connect needs PyJWT.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daskml_dist.security.audit import AuditLog, verify_audit
    from daskml_dist.security.authority import Authority, Certificate
    from daskml_dist.security.chain import AuditBroken
    from daskml_dist.security.keys import CertificateRequest
    from daskml_dist.security.limits import Limits, Rates, TokenBucket, TooLarge
    from daskml_dist.security.loopback import is_loopback
    from daskml_dist.security.masking import Masking
    from daskml_dist.security.openid import oidc
    from daskml_dist.security.scopes import Forbidden, KeysComing, Token, Unauthorized
    from daskml_dist.security.tokens import Tokens

_HOMES = {
    "AuditBroken": "chain",
    "AuditLog": "audit",
    "Authority": "authority",
    "Certificate": "authority",
    "CertificateRequest": "keys",
    "Forbidden": "scopes",
    "KeysComing": "scopes",
    "Limits": "limits",
    "Masking": "masking",
    "Rates": "limits",
    "Token": "scopes",
    "TokenBucket": "limits",
    "Tokens": "tokens",
    "TooLarge": "limits",
    "Unauthorized": "scopes",
    "is_loopback": "loopback",
    "oidc": "openid",
    "verify_audit": "audit",
}

__all__ = [
    "AuditBroken",
    "AuditLog",
    "Authority",
    "Certificate",
    "CertificateRequest",
    "Forbidden",
    "KeysComing",
    "Limits",
    "Masking",
    "Rates",
    "Token",
    "TokenBucket",
    "Tokens",
    "TooLarge",
    "Unauthorized",
    "is_loopback",
    "oidc",
    "verify_audit",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'daskml_dist.security' has no attribute {name!r}")
    found = getattr(import_module(f"daskml_dist.security.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
