"""What HAProxy is told: requests that are plainly in order go to replicas, everything else to the gateway.

In order is a POST to the model's ``infer`` with a token that is in the map and a small body. HAProxy passes
an answer on while it comes, so that one which breaks off cannot be asked for again. Replicas write the answer
to a small request in one piece, which is there or is not; answers to others are held by the gateway until
they are complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

SLOTS = 128
"""Replicas that HAProxy can know at once."""
_BODY = 6 << 10  # bytes; HAProxy sends a request again only while it has all of it in 16 kB
_ATTEMPTS = 4  # that a request has time for
_RETRIES = 7  # more, since those that meet a dead connection take no time
_PASSED = ("content-type", "content-length", "inference-header-content-length", "traceparent", "tracestate")
_NOT_PASSED = f"^(?!({'|'.join(_PASSED)})$)"
_AT_ONCE = "observe layer4 error-limit 1 on-error mark-down"  # who refuses a connection is down
_FULL = (
    "content-type application/json hdr retry-after 1 "
    """string '{"error":"too many requests at once; try again"}'"""
)


@final
@dataclass(frozen=True)
class Front:
    """What HAProxy is in front of.

    Attributes
    ----------
    model : its name. folder : for HAProxy's files.
    host, port : that it listens on. inner : port of the gateway on the loopback.
    token : that the replicas ask for.
    body : bytes of a JSON body at most. seconds : of a request at most. queue : requests at once at most.
    certificate : file of certificate and key; None for HTTP.
    """

    model: str
    folder: Path
    host: str
    port: int
    inner: int
    token: str
    body: int
    seconds: float
    queue: int
    certificate: Path | None = None

    @property
    def tokens(self) -> Path:
        """The map whose keys are digests of tokens that may predict."""
        return self.folder / "tokens.map"

    @property
    def switch(self) -> Path:
        """The map with the key "on" while HAProxy passes requests to replicas itself."""
        return self.folder / "switch.map"

    @property
    def socket(self) -> Path:
        """Of the runtime API."""
        return self.folder / "api.sock"


def text(front: Front) -> str:
    """The file that HAProxy reads."""
    return _process(front) + _public(front) + _replicas(front) + _gateway(front)


def _process(front: Front) -> str:
    seconds, attempt = _ms(front.seconds), _ms(max(1.0, front.seconds / _ATTEMPTS))
    return f"""global
    stats socket unix@{front.socket.name} mode 600 level admin
defaults
    mode http
    retries {_RETRIES}
    option redispatch 1
    timeout connect 100ms
    timeout client {seconds}
    timeout http-request {seconds}
    timeout http-keep-alive 75s
    timeout queue {seconds}
    timeout check 500ms
    timeout server {attempt}

"""


def _public(front: Front) -> str:
    host = f"[{front.host}]" if ":" in front.host else front.host
    tls = f' ssl crt "{front.certificate}" ssl-min-ver TLSv1.2 alpn http/1.1' if front.certificate else ""
    return f"""frontend public
    bind {host}:{front.port}{tls}
    option disable-h2-upgrade
    option http-buffer-request
    acl infer url -m str /v2/models/{front.model}/infer
    acl known req.fhdr(authorization),word(2,' '),sha2(256),hex,map_str("{front.tokens}") -m found
    acl bearer req.fhdr(authorization) -m beg -i "bearer "
    acl once req.fhdr_cnt(authorization) eq 1
    acl held req.fhdr_cnt(content-length) eq 1
    acl small req.hdr_val(content-length) le {min(front.body, _BODY)}
    acl odd req.fhdr(transfer-encoding) -m found
    acl odd req.fhdr(content-encoding) -m found
    acl odd req.fhdr(expect) -m found
    acl on str(on),map_str("{front.switch}") -m found
    acl full be_conn(replicas) ge {front.queue}
    http-request set-var(txn.usual) bool(true) if METH_POST infer known bearer once held small !odd on
    acl usual var(txn.usual) -m bool
    http-request return status 429 {_FULL} if usual full
    use_backend replicas if usual
    default_backend gateway

"""


def _replicas(front: Front) -> str:
    return f"""backend replicas
    balance leastconn
    http-reuse always
    retry-on conn-failure empty-response junk-response response-timeout 502 503
    option httpchk
    http-check send meth GET uri /v2/health/ready hdr host replica
    http-check expect status 200
    http-request del-header {_NOT_PASSED} -m reg
    http-request set-header host replica
    http-request set-header authorization "Bearer {front.token}"
    default-server check inter 250ms fastinter 100ms downinter 250ms fall 2 rise 1 {_AT_ONCE}
    server-template r 1-{SLOTS} 127.0.0.1:1 disabled
    server gateway 127.0.0.1:{front.inner} backup no-check

"""


def _gateway(front: Front) -> str:
    return f"""backend gateway
    timeout server {_ms(front.seconds + 2.0)}
    server gateway 127.0.0.1:{front.inner}
"""


def _ms(seconds: float) -> str:
    return f"{max(1, round(1000 * seconds))}ms"
