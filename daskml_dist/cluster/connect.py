"""Which hands to use: those of the current client, of a scheduler, or threads."""

from __future__ import annotations

from typing import Any

from distributed import Client, get_client

from daskml_dist.cluster._base import Hands
from daskml_dist.cluster.in_process import InProcess
from daskml_dist.cluster.on_dask import OnDask
from daskml_dist.cluster.placement import Placement
from daskml_dist.cluster.supervisor import Patience
from daskml_dist.errors import UnsupportedParameter


def connect(scheduler: Any = None, *, lazy: bool = True, patience: Patience | None = None) -> Hands:
    """Hands for a fit.

    Parameters
    ----------
    scheduler : None for the current ``distributed.Client``, if there is one and the data are lazy, else
        threads of this process; "threads"; a Client; the address of a scheduler; or a Placement, which says
        more about a cluster.
    lazy : whether the data are a dask collection. Data in the memory of this process are not sent
        to a cluster unless a scheduler is named.
    patience : how long to wait for the cluster.
    """
    if isinstance(scheduler, Placement):
        return OnDask(_named(scheduler.scheduler), patience, scheduler)
    client = client_for(scheduler, lazy=lazy)
    return InProcess() if client is None else OnDask(client, patience)


def client_for(scheduler: Any = None, *, lazy: bool = True) -> Client | None:
    """The client that ``connect`` would use for these arguments; None for threads of this process."""
    if scheduler is None:
        return _current_client() if lazy else None
    return None if isinstance(scheduler, str) and scheduler == "threads" else _named(scheduler)


def _named(scheduler: Any) -> Client:
    """The client that was meant: the current one for None."""
    if scheduler is None:
        client = _current_client()
        if client is None:
            raise UnsupportedParameter(
                "Placement(scheduler=None) was given, and there is no current distributed.Client. Make one, "
                "or name the client or the address of its scheduler."
            )
        return client
    if isinstance(scheduler, Client):
        if scheduler.asynchronous:
            raise UnsupportedParameter(
                "scheduler is an asynchronous Client, and fit blocks. Use Client(..., asynchronous=False)."
            )
        return scheduler
    if isinstance(scheduler, str) and "://" in scheduler:
        return _client_of(scheduler)
    raise UnsupportedParameter(
        f"scheduler={scheduler!r} was given; expected None, 'threads', a distributed.Client, the address "
        "of a scheduler such as 'tcp://10.0.0.1:8786', or a daskml_dist.Placement of a client or an address."
    )


def _current_client() -> Client | None:
    try:
        client: Client = get_client(timeout=0)
    except ValueError:
        return None
    return None if client.asynchronous else client


def _client_of(address: str) -> Client:
    """The client of this process for a scheduler; made once, kept open, and not made the default."""
    known = _clients.get(address)
    if known is None or known.status != "running":
        known = Client(address, set_as_default=False)
        _clients[address] = known
    return known


_clients: dict[str, Client] = {}
