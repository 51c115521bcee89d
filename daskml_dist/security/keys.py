"""Keys of certificates: made where they are used, written for their owner alone, and never sent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, final

from daskml_dist.security.files import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey


@final
class CertificateRequest:
    """A new key, and what an authority on another machine needs to make a certificate for it.

    Attributes
    ----------
    pem : for `Authority.sign`; it has the public half of the key, and proves that the other half is here.

    Examples
    --------
    >>> import tempfile
    >>> from daskml_dist.security import Authority
    >>> authority, here = Authority(tempfile.mkdtemp()).create(), tempfile.mkdtemp()
    >>> request = CertificateRequest()
    >>> pem = authority.sign(request.pem, "replica", ["10.0.0.7"])  # on the authority's machine
    >>> request.keep(here, "replica", pem, authority.certificate.read_bytes())
    >>> context = Authority(here).server_context("replica", clients=True)
    """

    def __init__(self) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import Encoding

        self._key = new_key()
        asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        self.pem = asked.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def keep(self, folder: str | os.PathLike[str], name: str, certificate: bytes, authority: bytes) -> None:
        """Write key, certificate and the authority's certificate into a folder, for `Authority` to find.

        Raises
        ------
        ValueError
            The certificate is for another key, or not of this authority.
        """
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature

        made, issuer = x509.load_pem_x509_certificate(certificate), x509.load_pem_x509_certificate(authority)
        if made.public_key() != self._key.public_key():
            raise ValueError("the certificate is for another key than the one that was made here; ask again")
        try:
            made.verify_directly_issued_by(issuer)
        except (InvalidSignature, TypeError, ValueError):
            raise ValueError("the certificate is not of the authority that came with it; ask again") from None
        here = Path(folder)
        here.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(here / "ca.pem", authority)
        write_pair(here / f"{name}.pem", here / f"{name}.key", self._key, certificate)


def new_key() -> EllipticCurvePrivateKey:
    """A private key on the curve P-256."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def requested_key(request: bytes) -> EllipticCurvePublicKey:
    """The public key of a request for a certificate.

    Raises
    ------
    ValueError
        It is none, was changed on its way, or its key is of another kind.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

    asked = x509.load_pem_x509_csr(request)
    key = asked.public_key()
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("the key of the request is not on the curve P-256; make it with CertificateRequest")
    if not asked.is_signature_valid:
        raise ValueError("the request was not signed with its own key; make it with CertificateRequest")
    return key


def write_pair(
    certificate_path: Path, key_path: Path, key: EllipticCurvePrivateKey, certificate: bytes
) -> None:
    """Write a key, which its owner alone can read, and its certificate."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    write_private(key_path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    write_private(certificate_path, certificate)
