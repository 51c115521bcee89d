"""How a deployment of this machine is found and told what to do: its admin port, and the token beside it."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any, final
from urllib.parse import urlsplit

from daskml_dist.errors import DaskmlDistError
from daskml_dist.serve.options import home
from daskml_dist.serve.processes import read_json

ADMIN = "admin.json"


class DeploymentUnreachable(DaskmlDistError, ConnectionError):
    """No gateway answers for this deployment."""


class DeploymentRefused(DaskmlDistError, RuntimeError):
    """The gateway did not do what was asked; the message is its reason."""


@final
class Access:
    """The admin port of a deployment.

    Parameters
    ----------
    url : of the admin port. token : with the scope that is needed.
    authority : certificate of who signed the gateway's; None for plain HTTP.
    """

    def __init__(self, url: str, token: str, authority: str | None = None) -> None:
        self.url, self._token = url, token
        self._context = ssl.create_default_context(cafile=authority) if authority else None

    @classmethod
    def of(cls, name: str, folder: Path | None = None) -> Access:
        """The access to a deployment of this machine.

        Parameters
        ----------
        name : of the model. folder : of the deployment; None for the usual one.

        Raises
        ------
        DeploymentUnreachable
            Nothing of that name is served here.
        """
        where = folder or home() / name
        told = read_json(where / ADMIN)
        if told is None:
            served = sorted(path.parent.name for path in home().glob(f"*/{ADMIN}"))
            others = f"; served here: {', '.join(served)}" if served else ""
            raise DeploymentUnreachable(f"{name} is not served on this machine{others}")
        return cls(told["url"], told["token"], told.get("authority"))

    def ask(self, method: str, path: str, body: Any = None, timeout: float = 300.0) -> dict[str, Any]:
        """The JSON that the gateway answers.

        Raises
        ------
        DeploymentRefused
            It does not do that.
        DeploymentUnreachable
            It does not answer in time.
        """
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        if self._context is not None:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        content = b"" if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, content, {"authorization": f"Bearer {self._token}"})
            response = connection.getresponse()
            said = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DeploymentUnreachable(f"the gateway at {self.url} does not answer: {error!r}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise DeploymentRefused(str(said.get("error")))
        return dict(said)
