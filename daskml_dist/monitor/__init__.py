"""Monitor: who hears the steps of a training. Nothing here can slow a fit down or stop it."""

from daskml_dist.monitor._base import FitEnd, FitInfo, Listener, ListenerFailed, Status
from daskml_dist.monitor.audience import Audience, audience
from daskml_dist.monitor.control import (
    Control,
    Controls,
    RateAsked,
    StopAsked,
    controls,
    current_control,
    set_control,
)
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
from daskml_dist.monitor.notebook import NotebookView
from daskml_dist.monitor.pages import PAGES, open_pages
from daskml_dist.monitor.picture import gap_picture
from daskml_dist.monitor.progress import ProgressLine, progress_view
from daskml_dist.monitor.together import Listeners
from daskml_dist.monitor.topic import TOPIC, TopicPublisher, messages

__all__ = [
    "Audience",
    "Candidates",
    "Coefficients",
    "Control",
    "Controls",
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
    "NotebookView",
    "PAGES",
    "Placed",
    "ProgressLine",
    "RateAsked",
    "Stale",
    "Status",
    "Steered",
    "StopAsked",
    "TOPIC",
    "TopicPublisher",
    "Work",
    "audience",
    "controls",
    "current_control",
    "discover",
    "gap_picture",
    "messages",
    "open_pages",
    "progress_view",
    "set_control",
]
