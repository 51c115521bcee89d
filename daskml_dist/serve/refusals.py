"""What a server refuses, and the JSON it says so with."""

from __future__ import annotations

from typing import final


@final
class Refused(Exception):
    """A request that is answered with an error of the client's; never one that the server caused.

    Parameters
    ----------
    status : HTTP status, 400 to 499, or 503 where nobody can answer now.
    message : what was given, what was expected; names of columns, never their values.
    reason : one word of a bounded set, for the metrics.
    column : of the model that is at fault, or "".
    retry_after : seconds after which to try again, or None.
    close : whether the connection is closed, since the rest of the request is not read.
    """

    def __init__(
        self,
        status: int,
        message: str,
        reason: str,
        column: str = "",
        *,
        retry_after: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        self.column = column
        self.retry_after = retry_after
        self.close = close

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that belong to the status."""
        headers = []
        if self.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if self.retry_after is not None:
            headers.append((b"retry-after", b"%d" % self.retry_after))
        if self.close:
            headers.append((b"connection", b"close"))
        return headers
