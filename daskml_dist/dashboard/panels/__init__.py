"""The panels: each is one picture of a fit, in a file of its own.

Add one: a class like ``Gap`` in a new file, and a line in ``PANELS``; it gets its own page as well.
"""

from daskml_dist.dashboard.panels._base import Along, Panel
from daskml_dist.dashboard.panels.candidates import CandidateScores
from daskml_dist.dashboard.panels.coefficients import Movement
from daskml_dist.dashboard.panels.decisions import Decisions
from daskml_dist.dashboard.panels.gap import Gap
from daskml_dist.dashboard.panels.gradient import Gradient
from daskml_dist.dashboard.panels.groups import Groups
from daskml_dist.dashboard.panels.held_out import HeldOut
from daskml_dist.dashboard.panels.lanes import Lanes
from daskml_dist.dashboard.panels.loss import Loss
from daskml_dist.dashboard.panels.memory import MemoryUsed
from daskml_dist.dashboard.panels.partitions import Partitions
from daskml_dist.dashboard.panels.staleness import Staleness
from daskml_dist.dashboard.panels.traffic import Traffic

PANELS: tuple[type[Panel], ...] = (
    Gap,
    Loss,
    Gradient,
    Movement,
    HeldOut,
    CandidateScores,
    Lanes,
    Groups,
    Staleness,
    Partitions,
    Traffic,
    MemoryUsed,
    Decisions,
)
"""In the order of the page."""

__all__ = ["Along", "PANELS", "Panel"]
