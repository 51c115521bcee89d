"""The options of a gateway, and how a command line gives them."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, final

from daskml_dist.security import Limits


@final
@dataclass(frozen=True)
class GatewayOptions:
    """How a deployment is served.

    Attributes
    ----------
    spec : a version: "claims@champion", "claims/3", "claims", or the directory of a registered version.
    folder : where the deployment keeps what it needs; None for one by the name of the model in `home`.
    replicas : that shall be ready.
    host, port : of the public port; port 0 for the last one, or any that is free.
    admin_host : of the admin port.
    registry : its URL; None for the usual one.
    limits : of a request. rate : requests a second and token, 0 for no limit. queue : requests at once.
    sticky : header that decides on the version of a canary.
    guard : seconds for which a new replica is watched.
    follow : whether a promoted alias is picked up.
    local : whether this machine keeps replicas.
    agents : that are waited for before the first replica is started, so that replicas are spread over them.
    tls : whether both ports speak TLS, with a certificate of the deployment's own authority.
    insecure : whether another host than the loopback may be served without TLS.
    router : "gateway", or "haproxy" for a process of HAProxy that passes usual requests on.
    oidc : issuer, audience and keys (a file or URL) of a provider whose tokens are taken instead of those of
        the deployment; None for these. oidc_claim : where their scopes are.
    json : whether what is told is one line of JSON.
    """

    spec: str
    folder: Path | None = None
    replicas: int = 2
    host: str = "127.0.0.1"
    port: int = 0
    admin_host: str = "127.0.0.1"
    registry: str | None = None
    limits: Limits = Limits()
    rate: float = 0.0
    queue: int = 512
    sticky: str | None = None
    guard: float = 1.0
    follow: bool = True
    local: bool = True
    agents: int = 0
    tls: bool = False
    insecure: bool = False
    router: str = "gateway"
    oidc: tuple[str, str, str] | None = None
    oidc_claim: str = "scope"
    json: bool = False


def home() -> Path:
    """The folder of all deployments: $DASKML_DIST_SERVE, or ~/.local/share/daskml_dist/serve."""
    return Path(os.environ.get("DASKML_DIST_SERVE") or "~/.local/share/daskml_dist/serve").expanduser()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `daskml-dist serve` to a parser."""
    parser.add_argument(
        "spec", metavar="NAME@ALIAS", help="a version: claims@champion, claims/3, claims, or its directory"
    )
    whole, number = _from(int), _from(float)
    parser.add_argument("--replicas", type=whole(1), default=2, metavar="N", help="processes that answer (2)")
    parser.add_argument("--host", default="127.0.0.1", help="to listen on (127.0.0.1)")
    parser.add_argument("--port", type=whole(0), default=0, metavar="N", help="(the last one, or any)")
    parser.add_argument("--admin-host", default="127.0.0.1", metavar="HOST", help="(127.0.0.1)")
    parser.add_argument("--registry", metavar="URL", help="($DASKML_DIST_REGISTRY)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="($DASKML_DIST_SERVE/NAME)")
    parser.add_argument("--rate", type=number(0), default=0.0, metavar="X", help="requests a second a token")
    parser.add_argument("--queue", type=whole(1), default=512, metavar="N", help="requests at once (512)")
    parser.add_argument("--sticky", metavar="HEADER", help="whose value decides on the version of a canary")
    parser.add_argument(
        "--guard", type=number(0), default=1.0, metavar="S", help="seconds a new replica is watched (1)"
    )
    parser.add_argument(
        "--no-follow", dest="follow", action="store_false", help="do not pick up an alias that was promoted"
    )
    parser.add_argument(
        "--no-local", dest="local", action="store_false", help="keep no replicas on this machine; agents do"
    )
    parser.add_argument("--agents", type=whole(0), default=0, metavar="N", help="to wait for at first (0)")
    parser.add_argument(
        "--router",
        choices=("gateway", "haproxy"),
        default="gateway",
        help="who passes requests to the replicas of this machine (gateway)",
    )
    _add_trust(parser)
    parser.add_argument("--json", action="store_true", help="tell URL and token as one line of JSON")
    for field in fields(Limits):
        parser.add_argument(
            f"--max-{field.name.replace('_', '-')}",
            type=_from(type(field.default))(1),
            default=field.default,
            metavar="N",
            help=f"of a request ({field.default:g})",
        )


def _add_trust(parser: argparse.ArgumentParser) -> None:
    """Who is believed, and over which wire."""
    parser.add_argument("--tls", action="store_true", help="with a certificate of its own authority")
    parser.add_argument(
        "--insecure-no-tls", dest="insecure", action="store_true", help="let other machines ask without TLS"
    )
    parser.add_argument(
        "--oidc",
        nargs=3,
        metavar=("ISSUER", "AUDIENCE", "KEYS"),
        help="take the tokens that a provider signs; KEYS is the https URL or file of its keys",
    )
    parser.add_argument(
        "--oidc-claim", default="scope", metavar="NAME", help="of the scopes in such a token (scope)"
    )


def options_of(arguments: argparse.Namespace) -> GatewayOptions:
    """The record of what was given."""
    given = {name: value for name, value in vars(arguments).items() if name != "command"}
    limits = Limits(**{field.name: given.pop(f"max_{field.name}") for field in fields(Limits)})
    given["oidc"] = given["oidc"] and tuple(given["oidc"])
    return GatewayOptions(**given, limits=limits)


def _from(kind: type) -> Any:
    """A parser of numbers of a kind, from a least one up."""

    def least(bound: float) -> Any:
        def number(text: str) -> Any:
            try:
                value = kind(text)
            except ValueError:
                value = bound - 1
            if not value >= bound:
                raise argparse.ArgumentTypeError(f"{text!r} is no number from {bound} up")
            return value

        return number

    return least
