"""The front door: the command ``daskml-dist``, and the encoding it keeps beside a model."""

from daskml_dist.cli.command import main
from daskml_dist.cli.encoding import Encoding

__all__ = ["Encoding", "main"]
