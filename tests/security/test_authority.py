"""Certificates: OpenSSL by way of ssl decides who is let in, and a real Dask cluster."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from distributed import Client, LocalCluster
from distributed.security import Security

from daskml_dist.security import Authority
from daskml_dist.security.authority import AuthorityMissing
from daskml_dist.security.files import FileInsecure

HERE = ["localhost", "127.0.0.1"]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("ours")).create()
    authority.issue("server", HERE)
    authority.issue("caller", ["caller"])
    return authority


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("theirs")).create()
    authority.issue("caller", ["caller"])
    return authority


def says_hello(server: ssl.SSLContext, client: ssl.SSLContext | None, host: str = "localhost") -> str:
    """What a caller hears from a server on this machine; the errors of either side are raised."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            connection, _ = listening.accept()
            connection.settimeout(10)
            try:
                with server.wrap_socket(connection, server_side=True) as secure:
                    secure.sendall(b"hello")
            except (ssl.SSLError, OSError):
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with socket.create_connection(listening.getsockname(), timeout=10) as plain:
                if client is None:
                    plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    return plain.recv(5).decode("ascii", "replace")
                with client.wrap_socket(plain, server_hostname=host) as secure:
                    return secure.recv(5).decode()
        finally:
            thread.join(10)


def test_who_has_a_certificate_of_ours_is_heard(ours: Authority) -> None:
    server = ours.server_context("server", clients=True)
    assert says_hello(server, ours.client_context("caller")) == "hello"
    assert says_hello(server, ours.client_context("caller"), "127.0.0.1") == "hello"
    assert says_hello(ours.server_context("server", clients=False), ours.client_context()) == "hello"


def test_nobody_else_is(ours: Authority, theirs: Authority) -> None:
    server = ours.server_context("server", clients=True)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        says_hello(server, ours.client_context())  # no certificate
    with pytest.raises(ssl.SSLCertVerificationError):
        says_hello(server, theirs.client_context("caller"))  # does not know our authority
    foreign = theirs.client_context("caller")
    foreign.load_verify_locations(ours.certificate)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        says_hello(server, foreign)  # knows it, and has a certificate of another
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        says_hello(server, ours.client_context("caller"), "elsewhere.example")
    with suppress(ConnectionError):
        assert "hello" not in says_hello(server, None)  # no TLS at all


def test_old_versions_of_tls_are_refused(ours: Authority) -> None:
    assert ours.server_context("server", clients=True).minimum_version == ssl.TLSVersion.TLSv1_2
    assert ours.client_context("caller").minimum_version == ssl.TLSVersion.TLSv1_2
    newest = ours.client_context("caller")
    newest.minimum_version = ssl.TLSVersion.TLSv1_3
    assert says_hello(ours.server_context("server", clients=True), newest) == "hello"


def test_certificates_pass_the_strict_checks(ours: Authority) -> None:
    strict = ours.client_context("caller")
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    assert says_hello(ours.server_context("server", clients=True), strict) == "hello"


def test_keys_are_for_their_owner_alone(ours: Authority, tmp_path: Path) -> None:
    folder = ours.certificate.parent
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {0o600}
    mine = Authority(tmp_path / "mine").create()
    mine.issue("a", ["a"]).key.chmod(0o644)
    with pytest.raises(FileInsecure, match="chmod 600"):
        mine.server_context("a", clients=False)
    (tmp_path / "mine" / "ca.key").chmod(0o644)
    with pytest.raises(FileInsecure, match="chmod 600"):
        mine.issue("b", ["b"])


def test_what_is_in_a_certificate(ours: Authority) -> None:
    issued = ours.issue("gateway", ["api.example", "*.example", "10.0.0.1", "::1"], days=30)
    certificate = x509.load_pem_x509_certificate(issued.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["api.example", "*.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "::1"]
    assert issued.expires == certificate.not_valid_after_utc
    assert timedelta(days=29) < issued.expires - datetime.now(UTC) <= timedelta(days=30)
    authority = x509.load_pem_x509_certificate(ours.certificate.read_bytes())
    certificate.verify_directly_issued_by(authority)


def test_renewed_only_when_it_expires(ours: Authority) -> None:
    first = ours.issue("replica", ["a.example", "10.0.0.1"], days=40)
    assert ours.renew("replica") == first
    renewed = ours.renew("replica", within=60)
    assert renewed.expires > first.expires
    names = x509.load_pem_x509_certificate(renewed.certificate.read_bytes()).extensions
    hosts = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(host.value) for host in hosts] == ["a.example", "10.0.0.1"]


def test_what_is_not_there_is_told(ours: Authority, tmp_path: Path) -> None:
    nobody = Authority(tmp_path / "none")
    for act in (
        lambda: nobody.issue("a", ["a"]),
        lambda: nobody.issued("a"),
        lambda: nobody.client_context(),
        lambda: nobody.dask(),
        lambda: ours.server_context("unknown", clients=True),
    ):
        with pytest.raises(AuthorityMissing):
            act()
    with pytest.raises(FileExistsError, match="already"):
        Authority(ours.certificate.parent).create()


@pytest.mark.parametrize("name", ["ca", "../x", "A", "", "a/b", "-a", "x" * 65])
def test_bad_names(ours: Authority, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a certificate"):
        ours.issue(name, HERE)


def test_bad_hosts(ours: Authority) -> None:
    for hosts in ([], "localhost"):
        with pytest.raises(ValueError, match="give a list"):
            ours.issue("a", hosts)
    for host in ("a b", "a,b", "http://a", "", "a\nb", "*"):
        with pytest.raises(ValueError, match="neither a name"):
            ours.issue("a", [host])
    with pytest.raises(ValueError, match="days=0"):
        ours.issue("a", HERE, days=0)


def is_refused(address: str, security: Security | None) -> bool:
    """Whether a client cannot connect.

    What is left of it is collected here: Dask stops its loop then, which would wait for ever if the collector
    happened to run while the next client starts.
    """
    try:
        Client(address, security=security, timeout=2).close()
    except (OSError, TypeError):
        return True
    finally:
        gc.collect()
    return False


def test_a_dask_cluster_lets_in_who_has_a_certificate_of_its_authority(
    ours: Authority, theirs: Authority
) -> None:
    security = ours.dask()
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", security=security
    ) as cluster:
        assert cluster.scheduler_address.startswith("tls://")
        with Client(cluster.scheduler_address, security=security) as client:
            assert client.submit(sum, [1, 2]).result(timeout=30) == 3
        assert not is_refused(cluster.scheduler_address, security)
        plain = cluster.scheduler_address.replace("tls://", "tcp://")
        for address, other in [
            (plain, None),
            (plain, Security()),
            (cluster.scheduler_address, theirs.dask()),
            (cluster.scheduler_address, Security(tls_ca_file=str(ours.certificate))),
        ]:
            assert is_refused(address, other)
        with Client(cluster.scheduler_address, security=security) as client:  # and it still works
            assert client.submit(sum, [1, 2]).result(timeout=30) == 3
