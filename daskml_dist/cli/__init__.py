"""The command line: the same library, from a shell."""

from typing import TYPE_CHECKING, Any

from daskml_dist.cli.command import main

if TYPE_CHECKING:
    from daskml_dist.cli.encoding import Encoding

__all__ = ["Encoding", "main"]


def __getattr__(name: str) -> Any:
    if name != "Encoding":
        raise AttributeError(f"module 'daskml_dist.cli' has no attribute {name!r}")
    from daskml_dist.cli.encoding import Encoding  # with pandas, which most commands do not need

    return Encoding
