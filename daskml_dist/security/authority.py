"""A small certificate authority, for HTTP between machines and for the Dask cluster."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, final

from daskml_dist.errors import DaskmlDistError
from daskml_dist.security.files import check_private
from daskml_dist.security.keys import new_key, requested_key, write_pair

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from distributed.security import Security

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")
_YEARS = 10


class AuthorityMissing(DaskmlDistError, FileNotFoundError):
    """There is no authority, or no certificate of that name."""


@final
@dataclass(frozen=True, slots=True)
class Certificate:
    """Where a certificate and its key lie.

    Attributes
    ----------
    certificate, key : PEM files; that of the key is readable by its owner alone.
    expires : when it is good for nothing any more.
    """

    certificate: Path
    key: Path
    expires: datetime


@final
class Authority:
    """Issues certificates that those who have its ``ca.pem`` trust, and nobody else does.

    Keys are on the curve P-256. ``ca.key`` signs: keep it on one machine. Another machine needs
    ``ca.pem`` and its own certificate and key. A certificate is good for both sides of a connection.

    Parameters
    ----------
    folder : of ca.pem, ca.key, and NAME.pem and NAME.key of what was issued.

    Examples
    --------
    >>> import tempfile
    >>> authority = Authority(tempfile.mkdtemp()).create()
    >>> issued = authority.issue("gateway", ["localhost", "127.0.0.1"])
    >>> context = authority.server_context("gateway", clients=True)  # for whom it issued a certificate
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self.certificate = self._folder / "ca.pem"
        self._key = self._folder / "ca.key"

    def create(self, name: str = "daskml_dist") -> Authority:
        """Make the authority's own key and certificate, for ten years; where there is one, complain."""
        from cryptography import x509

        if self.certificate.exists():
            raise FileExistsError(f"{self._folder} has an authority already; use it, or another folder")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = new_key()
        who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} authority")])
        made = (
            _builder(who, who, key.public_key(), days=366 * _YEARS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
            )
        )
        write_pair(self.certificate, self._key, key, _pem(made, key))
        return self

    def issue(self, name: str, hosts: Sequence[str], *, days: int = 365) -> Certificate:
        """Make a certificate; one of the same name is replaced.

        Parameters
        ----------
        name : of the files, like "gateway"; letters a-z, digits, and ``_.-``.
        hosts : names and addresses by which the machine is called.
        days : until it expires.

        Raises
        ------
        AuthorityMissing
            Without `create` before.
        ValueError
            For names that are none.
        """
        key = new_key()
        pem = self._signed(key.public_key(), name, hosts, days)
        write_pair(*self._paths(name), key, pem)
        return self.issued(name)

    def sign(self, request: bytes, name: str, hosts: Sequence[str], *, days: int = 365) -> bytes:
        """A certificate for a key that was made elsewhere and stays there.

        Parameters
        ----------
        request : `CertificateRequest.pem` of whoever has the key. Nothing but the key is taken from it.
        name, hosts, days : as for `issue`.

        Returns
        -------
        The certificate, PEM.

        Raises
        ------
        AuthorityMissing, ValueError
            As for `issue`; and ValueError where the request is damaged, or its key is not on P-256.
        """
        return self._signed(requested_key(request), name, hosts, days)

    def issued(self, name: str) -> Certificate:
        """The certificate of a name."""
        certificate, key = self._there(name)
        return Certificate(certificate, key, _load(certificate).not_valid_after_utc)

    def renew(self, name: str, *, within: int = 30, days: int = 365) -> Certificate:
        """Issue a certificate anew, for the same hosts, if it expires within so many days."""
        from cryptography import x509

        found = self.issued(name)
        if found.expires - datetime.now(UTC) > timedelta(days=within):
            return found
        names = _load(found.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return self.issue(name, [str(host.value) for host in names.value], days=days)

    def server_context(self, name: str, *, clients: bool) -> ssl.SSLContext:
        """What a server answers with, TLS 1.2 or newer.

        Parameters
        ----------
        name : of its certificate.
        clients : whether callers need a certificate of this authority too.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self._trusted())
        context.verify_mode = ssl.CERT_REQUIRED if clients else ssl.CERT_NONE
        return self._own(context, name)

    def client_context(self, name: str | None = None) -> ssl.SSLContext:
        """What a client calls with: servers of this authority alone, under their own names; TLS 1.2 or newer.

        Parameters
        ----------
        name : of the client's own certificate; None where the server asks for none.
        """
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=self._trusted())
        return context if name is None else self._own(context, name)

    def dask(self, name: str = "dask") -> Security:
        """For ``LocalCluster(security=...)``, ``Client(..., security=...)`` and the others of Dask.

        Who has a certificate of this authority may run code on the cluster, and nobody else may connect.
        Dask does not compare names of hosts, so use an authority for the cluster alone. The certificate is
        issued if it is not there, and renewed within its last 30 days.

        Parameters
        ----------
        name : of the certificate that scheduler, workers and clients have in common here.
        """
        from distributed.security import Security

        try:
            found = self.renew(name) if self._key.exists() else self.issued(name)
        except AuthorityMissing:
            found = self.issue(name, ["localhost", "127.0.0.1"])
        pem, key = str(found.certificate), str(found.key)
        return Security(
            require_encryption=True,
            tls_min_version=ssl.TLSVersion.TLSv1_2,
            tls_ca_file=str(self.certificate),
            **{f"tls_{role}_cert": pem for role in ("scheduler", "worker", "client")},
            **{f"tls_{role}_key": key for role in ("scheduler", "worker", "client")},
        )

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.pem", self._folder / f"{name}.key"

    def _there(self, name: str) -> tuple[Path, Path]:
        certificate, key = self._paths(name)
        if not certificate.exists():
            raise AuthorityMissing(f"{self._folder} has no certificate {name!r}; issue one")
        return certificate, key

    def _signed(self, key: EllipticCurvePublicKey, name: str, hosts: Sequence[str], days: int) -> bytes:
        """A certificate for a key, PEM."""
        from cryptography import x509
        from cryptography.x509.oid import ExtendedKeyUsageOID

        if not _NAME.fullmatch(name) or name == "ca":
            raise ValueError(f"{name!r} cannot name a certificate; use a-z, 0-9, '_', '.', '-', and not 'ca'")
        if isinstance(hosts, str) or not hosts:
            raise ValueError(f"hosts={hosts!r}; give a list of names and addresses of the machine")
        if days < 1:
            raise ValueError(f"days={days}; a certificate is for a day or more")
        signer, issuer = self._signer()
        who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        made = (
            _builder(who, issuer.subject, key, days=days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
        )
        return _pem(made, signer)

    def _trusted(self) -> Path:
        if not self.certificate.exists():
            raise AuthorityMissing(
                f"{self._folder} has no ca.pem; create the authority, or copy it from there"
            )
        return self.certificate

    def _own(self, context: ssl.SSLContext, name: str) -> ssl.SSLContext:
        certificate, key = self._there(name)
        check_private(key)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        return context

    def _signer(self) -> tuple[EllipticCurvePrivateKey, x509.Certificate]:
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        if not self._key.exists():
            raise AuthorityMissing(f"{self._folder} has no ca.key; issue where the authority was created")
        check_private(self._key)
        key = load_pem_private_key(self._key.read_bytes(), password=None)
        assert isinstance(key, EllipticCurvePrivateKey)
        return key, _load(self.certificate)


def _builder(
    who: x509.Name, issuer: x509.Name, key: EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks of machines differ
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is neither a name of a host nor an address") from None
        return x509.DNSName(host)


def _load(path: Path) -> x509.Certificate:
    from cryptography import x509

    return x509.load_pem_x509_certificate(path.read_bytes())


def _pem(made: x509.CertificateBuilder, signer: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    return made.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)
