"""Certificates for keys that were made elsewhere: OpenSSL decides whether they are good."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from daskml_dist.security import Authority, CertificateRequest
from tests.security.test_authority import says_hello


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority").create()


def asked(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str = "") -> bytes:
    who = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else []
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(who))
    evil = x509.SubjectAlternativeName([x509.DNSName("gateway.example")])
    return request.add_extension(evil, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_both_sides_show_what_was_signed_for_a_key_of_theirs(authority: Authority, tmp_path: Path) -> None:
    request = CertificateRequest()
    made = authority.sign(request.pem, "replica", ["localhost", "10.0.0.7"], days=3)
    request.keep(tmp_path / "node", "replica", made, authority.certificate.read_bytes())
    authority.issue("gateway", ["gateway"])
    node = Authority(tmp_path / "node")
    server, client = node.server_context("replica", clients=True), authority.client_context("gateway")
    assert says_hello(server, client) == "hello"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        says_hello(server, authority.client_context())  # shows no certificate
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        says_hello(server, client, "elsewhere.example")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        says_hello(server, Authority(tmp_path / "other").create().client_context())
    assert {p.name: oct(p.stat().st_mode & 0o777) for p in (tmp_path / "node").glob("*.key")} == {
        "replica.key": "0o600"
    }


def test_the_key_is_in_no_message(authority: Authority, tmp_path: Path) -> None:
    request = CertificateRequest()
    made = authority.sign(request.pem, "replica", ["localhost"])
    request.keep(tmp_path / "node", "replica", made, authority.certificate.read_bytes())
    key = (tmp_path / "node" / "replica.key").read_text().splitlines()[1]
    assert len(key) == 64
    for sent in (request.pem, made, authority.certificate.read_bytes()):
        assert key not in sent.decode() and "PRIVATE" not in sent.decode()


def test_nothing_but_the_key_is_taken_from_a_request(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.load_pem_x509_certificate(authority.sign(asked(key, "gateway"), "replica", ["10.0.0.7"]))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["10.0.0.7"]
    assert made.subject.rfc4514_string() == "CN=replica"
    assert made.public_key() == key.public_key()
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_requests_that_are_none(authority: Authority) -> None:
    good = asked(ec.generate_private_key(ec.SECP256R1()))
    assert authority.sign(good, "replica", ["a"])
    der = bytearray(x509.load_pem_x509_csr(good).public_bytes(Encoding.DER))
    der[-1] ^= 1  # the signature
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
    other_kind = asked(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    other_curve = asked(ec.generate_private_key(ec.SECP384R1()))
    for bad, words in (
        (forged, "not signed with its own key"),
        (other_kind, "P-256"),
        (other_curve, "P-256"),
        (b"", "PEM"),
        (good[:-60], "PEM"),
    ):
        with pytest.raises(ValueError, match=words):
            authority.sign(bad, "replica", ["a"])


def test_a_certificate_that_does_not_belong_to_the_key_is_not_kept(
    authority: Authority, tmp_path: Path
) -> None:
    request, other = CertificateRequest(), CertificateRequest()
    ours = authority.certificate.read_bytes()
    with pytest.raises(ValueError, match="another key"):
        request.keep(tmp_path, "replica", authority.sign(other.pem, "replica", ["a"]), ours)
    theirs = Authority(tmp_path / "theirs").create()
    with pytest.raises(ValueError, match="not of the authority"):
        request.keep(tmp_path, "replica", theirs.sign(request.pem, "replica", ["a"]), ours)
    assert not list(tmp_path.glob("*.pem"))
