"""Monitor: who hears the steps of a training. Nothing here can slow a fit down or stop it."""

from daskml_dist.monitor._base import FitEnd, FitInfo, Listener, ListenerFailed
from daskml_dist.monitor.audience import Audience, audience
from daskml_dist.monitor.details import (
    Candidates,
    Coefficients,
    Detail,
    GroupsSeen,
    HeldOutScore,
    Placed,
    Stale,
    Steered,
    Work,
)
from daskml_dist.monitor.discovery import GROUP, discover
from daskml_dist.monitor.history import History
from daskml_dist.monitor.pages import PAGES, open_pages
from daskml_dist.monitor.progress import ProgressLine
from daskml_dist.monitor.together import Listeners
from daskml_dist.monitor.topic import TOPIC, TopicPublisher, messages

__all__ = [
    "Audience",
    "Candidates",
    "Coefficients",
    "Detail",
    "FitEnd",
    "FitInfo",
    "GROUP",
    "GroupsSeen",
    "HeldOutScore",
    "History",
    "Listener",
    "ListenerFailed",
    "Listeners",
    "PAGES",
    "Placed",
    "ProgressLine",
    "Stale",
    "Steered",
    "TOPIC",
    "TopicPublisher",
    "Work",
    "audience",
    "discover",
    "messages",
    "open_pages",
]
