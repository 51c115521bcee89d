"""TLS between the gateway and replicas on other machines: both show a certificate of one authority.

It is another authority than that of the public port, so that no node can pass for the gateway. A node makes
its own key and has it certified over the admin port; the key stays where it was made.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, final

from daskml_dist.security import Authority, CertificateRequest, is_loopback
from daskml_dist.serve.access import Access
from daskml_dist.serve.refusals import Refused

NAME = "replica"
"""Of the certificate and key of a node, in its folder."""
_GATEWAY = "gateway"
_RENEWED = timedelta(days=30)


def authority_in(folder: Path) -> Authority:
    """The authority of a folder, created where there is none yet."""
    authority = Authority(folder)
    return authority if authority.certificate.exists() else authority.create()


@final
class Nodes:
    """What the gateway tells agents of other machines, and certifies for them.

    Parameters
    ----------
    launch : what they start replicas with.
    folder : of the authority; None for a deployment without TLS.
    plain : whether replicas of other machines may be asked without TLS.
    """

    def __init__(self, launch: dict[str, Any], folder: Path | None, *, plain: bool) -> None:
        self.launch = launch | {"tls": folder is not None}
        self._plain = plain
        self._authority: Authority | None = None
        self.context: ssl.SSLContext | None = None
        if folder is not None:
            self._authority = authority_in(folder)
            self._authority.issue(_GATEWAY, [_GATEWAY])
            self.context = self._authority.client_context(_GATEWAY)

    def check(self, host: str) -> None:
        """Refuse an agent whose replicas could only be asked in clear text.

        Raises
        ------
        Refused
            403.
        """
        if self._authority is None and not self._plain and not is_loopback(host):
            raise Refused(
                403,
                f"replicas on {host[:253]} would be asked without TLS, and everybody on the way could read; "
                "start the gateway with --tls, or with --insecure-no-tls where something else encrypts",
                "tls",
            )

    def certify(self, host: str, request: str) -> dict[str, str]:
        """A certificate for the key of a node, and that of the authority.

        Raises
        ------
        Refused
            409 for a deployment without TLS, 422 for a request that is none.
        """
        if self._authority is None:
            raise Refused(409, "this deployment has no TLS; start the gateway with --tls", "tls")
        try:
            made = self._authority.sign(request.encode(), NAME, [host])
        except ValueError as error:
            raise Refused(422, f"no certificate for {host[:253]!r}: {error}", "tls") from None
        return {"certificate": made.decode(), "authority": self._authority.certificate.read_text()}


@final
class NodeCertificate:
    """The certificate of the replicas of this machine, asked for when it is needed.

    Parameters
    ----------
    access : to the gateway. host : that the replicas listen on.
    folder : where key and certificate are kept.
    """

    def __init__(self, access: Access, host: str, folder: Path) -> None:
        self._access, self._host, self._folder = access, host, folder
        self._expires = datetime.now(UTC)

    def renew(self) -> None:
        """Ask for one, unless that which is here is good for 30 more days.

        Raises
        ------
        DeploymentRefused, DeploymentUnreachable
            The gateway gives none.
        ValueError
            What it gives is none.
        """
        if self._expires - datetime.now(UTC) > _RENEWED:
            return
        request = CertificateRequest()
        asked = {"host": self._host, "request": request.pem.decode()}
        given = self._access.ask("POST", "/certificate", asked, timeout=5.0)
        request.keep(self._folder, NAME, given["certificate"].encode(), given["authority"].encode())
        self._expires = Authority(self._folder).issued(NAME).expires

    def arguments(self) -> list[str]:
        """What a replica is started with to use it."""
        return ["--tls", str(self._folder)]
