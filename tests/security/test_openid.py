"""Signed tokens: PyJWT and cryptography sign, right and wrong in every way we know of."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from daskml_dist.security import Forbidden, KeysComing, Token, Unauthorized, oidc

ISSUER, AUDIENCE, SCOPE = "https://login.example/", "daskml", "predict:claims"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


def described(key: Any, name: str, **more: str) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": name, **more}


def keys(*listed: dict[str, Any]) -> str:
    return json.dumps({"keys": listed})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(keys(described(RSA, "r", use="sig", alg="RS256"), described(EC, "e")))
    return path


def signed(
    key: Any = EC, algorithm: str = "ES256", kid: str | None = "e", without: str = "", **changed: object
) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "exp": time.time() + 600,
        "scope": f"openid {SCOPE} metrics",
        **changed,
    }
    claims.pop(without, None)
    return jwt.encode(claims, key, algorithm=algorithm, headers={} if kid is None else {"kid": kid})


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(EC, "ES256", "e"), (RSA, "RS256", "r")])
def test_a_good_token_opens_what_it_is_for(source: Path, key: Any, algorithm: str, kid: str) -> None:
    checker = oidc(ISSUER, AUDIENCE, source)
    secret = signed(key, algorithm, kid)
    for _ in range(2):  # the second time from memory
        token = checker.check(secret, SCOPE)
        assert (token.id, token.scopes) == ("ada", {SCOPE, "metrics"})
        with pytest.raises(Forbidden):
            checker.check(secret, "predict:other")


def test_scopes_may_be_a_list_under_another_name(source: Path) -> None:
    checker = oidc(ISSUER, AUDIENCE, source, claim="roles")
    assert checker.check(signed(roles=["metrics", 3, "x"]), "metrics").scopes == {"metrics"}
    for roles in (None, 3, {"metrics": True}):
        with pytest.raises(Forbidden):
            checker.check(signed(roles=roles), "metrics")


def _unsigned() -> str:
    return jwt.encode(jwt.decode(signed(), options={"verify_signature": False}), "", algorithm="none")


def _public_key_as_secret() -> str:
    """The classic: the public key is taken for a password of HMAC. PyJWT refuses to make it, so by hand."""
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"r"}').rstrip(b"=")
    body = signed().split(".")[1].encode()
    import hashlib
    import hmac

    mac = hmac.new(pem, head + b"." + body, hashlib.sha256).digest()
    return b".".join([head, body, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


BAD = {
    "another key": lambda: signed(OTHER),
    "a key of another name": lambda: signed(EC, kid="r"),
    "an unknown name": lambda: signed(kid="z"),
    "no name": lambda: signed(kid=None),
    "another issuer": lambda: signed(iss="https://evil.example/"),
    "another audience": lambda: signed(aud="other"),
    "expired": lambda: signed(exp=time.time() - 31),
    "not yet": lambda: signed(nbf=time.time() + 600),
    "exp is text": lambda: signed(exp="tomorrow"),
    "no exp": lambda: signed(without="exp"),
    "no aud": lambda: signed(without="aud"),
    "no iss": lambda: signed(without="iss"),
    "no sub": lambda: signed(without="sub"),
    "RS512": lambda: signed(RSA, "RS512", "r"),
    "PS256": lambda: signed(RSA, "PS256", "r"),
    "no signature": _unsigned,
    "HMAC with the public key": _public_key_as_secret,
    "HMAC": lambda: signed("x" * 32, "HS256", "e"),
    "cut": lambda: signed()[:-4],
    "nothing": lambda: "",
    "one word": lambda: "dml_abc",
    "dots": lambda: "..",
    "surrogate": lambda: "\udcff.a.b",
    "no ASCII": lambda: "é.é.é",
}


@pytest.mark.parametrize("what", BAD)
def test_everything_else_is_refused(source: Path, what: str) -> None:
    checker = oidc(ISSUER, AUDIENCE, source)
    checker.check(signed(), SCOPE)
    secret = BAD[what]()
    with pytest.raises(Unauthorized) as complaint:
        checker.check(secret, SCOPE)
    assert not secret or secret not in str(complaint.value)


def test_what_was_accepted_once_expires(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checker = oidc(ISSUER, AUDIENCE, source)
    secret = signed(exp=time.time() - 29)  # clocks may differ by 30 seconds
    checker.check(secret, SCOPE)
    later = time.time() + 2
    monkeypatch.setattr("daskml_dist.security.openid.time.time", lambda: later)
    seen = []
    monkeypatch.setattr(checker, "_verified", lambda again: seen.append(again) or Token("x", frozenset()))
    with pytest.raises(Forbidden):
        checker.check(secret, SCOPE)
    assert seen == [secret]  # looked at anew, not taken from memory


def test_memory_of_tokens_is_bounded(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.security.openid._MOST_KEPT", 5)
    checker = oidc(ISSUER, AUDIENCE, source)
    for user in range(12):
        checker.check(signed(sub=str(user)), SCOPE)
    assert len(checker._kept) <= 5  # noqa: SLF001


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"keys": 3}',
        '{"keys": []}',
        '{"keys": [3]}',
        '{"keys": [{"kty": "oct", "k": "YWJj", "kid": "a"}]}',
        keys(described(EC, "e", use="enc")),
        keys(described(RSA, "r", alg="RS512")),
        keys(described(ec.generate_private_key(ec.SECP384R1()), "p")),
    ],
)
def test_keys_that_are_none_of_ours(source: Path, text: str) -> None:
    source.write_text(text)
    with pytest.raises(ValueError, match="jwks.json"):
        oidc(ISSUER, AUDIENCE, source)


def test_keys_must_not_travel_in_the_open() -> None:
    with pytest.raises(ValueError, match="use https"):
        oidc(ISSUER, AUDIENCE, "http://login.example/keys")
    with pytest.raises(FileNotFoundError):
        oidc(ISSUER, AUDIENCE, "ftp://login.example/keys")  # no scheme that we read


class Provider(BaseHTTPRequestHandler):
    """Gives the server's ``text`` as keys."""

    def do_GET(self) -> None:  # noqa: N802
        self.server.asked += 1  # type: ignore[attr-defined]
        self.send_response(self.server.code)  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(self.server.text.encode())  # type: ignore[attr-defined]

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Provider)
    server.asked, server.code, server.text = 0, 200, keys(described(EC, "e"))  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_keys_come_from_the_provider_and_are_exchanged(
    provider: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    checker = oidc(ISSUER, AUDIENCE, f"http://127.0.0.1:{provider.server_port}/keys")
    checker.check(signed(), SCOPE)
    new = signed(OTHER, kid="new")
    for name in "vwxyz":  # whoever makes up names of keys makes us ask once in a while
        with pytest.raises(Unauthorized):
            checker.check(signed(kid=name), SCOPE)
    wait_for(lambda: provider.asked == 2 and not checker._keys._reading.locked())  # noqa: SLF001
    for _ in range(5):
        with pytest.raises(Unauthorized) as complaint:
            checker.check(new, SCOPE)
        assert not isinstance(complaint.value, KeysComing)
    assert provider.asked == 2
    provider.text = keys(described(EC, "e"), described(OTHER, "new"))
    monkeypatch.setattr("daskml_dist.security.openid._HURRY", -1.0)
    assert after_waiting(checker, new).id == "ada"
    assert provider.asked == 3
    provider.code = 500
    with caplog.at_level(logging.WARNING):
        with pytest.raises(Unauthorized):
            checker.check(signed(kid="newer"), SCOPE)
        wait_for(lambda: "those known stay" in caplog.text)
    assert checker.check(signed(sub="bob"), SCOPE).id == "bob"


def after_waiting(checker: Any, secret: str) -> Token:
    """What whoever waits for the keys is told; they may be there at once."""
    try:
        return checker.check(secret, SCOPE)
    except KeysComing as coming:
        pending = coming.pending
    wait_for(lambda: not pending())
    return checker.check(secret, SCOPE)


def test_the_first_token_of_a_new_key_is_good(provider: Any) -> None:
    checker = oidc(ISSUER, AUDIENCE, f"http://127.0.0.1:{provider.server_port}/keys")
    provider.text = keys(described(OTHER, "new"))  # nothing was asked since the beginning, a moment ago
    assert after_waiting(checker, signed(OTHER, kid="new")).id == "ada"
    assert provider.asked == 2
    with pytest.raises(Unauthorized):  # the old key is gone, and that was just asked
        checker.check(signed(sub="eve"), SCOPE)
    assert provider.asked == 2


def test_a_provider_that_answers_rubbish(provider: Any) -> None:
    url = f"http://127.0.0.1:{provider.server_port}/keys"
    for code, text in [(500, keys()), (200, "<html>"), (200, " " * 1_000_001)]:
        provider.code, provider.text = code, text
        with pytest.raises((ValueError, OSError)):
            oidc(ISSUER, AUDIENCE, url)


@pytest.mark.parametrize("kid", ["e", None])
def test_another_key_in_the_place_of_one_that_is_known(provider: Any, kid: str | None) -> None:
    checker = oidc(ISSUER, AUDIENCE, f"http://127.0.0.1:{provider.server_port}/keys")
    checker.check(signed(kid=kid), SCOPE)
    provider.text = keys(described(OTHER, "e"))
    assert after_waiting(checker, signed(OTHER, kid=kid)).id == "ada"
    for _ in range(3):  # wrong signatures do not make us ask again so soon
        with pytest.raises(Unauthorized) as complaint:
            checker.check(signed(ec.generate_private_key(ec.SECP256R1()), kid=kid), SCOPE)
        assert not isinstance(complaint.value, KeysComing)
    assert provider.asked == 2
