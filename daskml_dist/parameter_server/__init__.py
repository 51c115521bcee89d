"""Servers of parameters: who holds which range, whose clock is where, and what is applied when."""

from daskml_dist.parameter_server.consistency import Consistency
from daskml_dist.parameter_server.descent import Descent, Held, Served
from daskml_dist.parameter_server.node import Finish, Join, Kept, Message, PushesLost, Read, Send, node
from daskml_dist.parameter_server.push import Push
from daskml_dist.parameter_server.reports import Counts
from daskml_dist.parameter_server.server import OutOfOrder, Server, ServerReport
from daskml_dist.parameter_server.version import Version, VersionCorrupt

__all__ = [
    "Consistency",
    "Counts",
    "Descent",
    "Finish",
    "Held",
    "Join",
    "Kept",
    "Message",
    "OutOfOrder",
    "Push",
    "PushesLost",
    "Read",
    "Send",
    "Served",
    "Server",
    "ServerReport",
    "Version",
    "VersionCorrupt",
    "node",
]
