"""The spine: a whole training, from containers to a verified optimum."""

from daskml_dist.fit.scoring import score
from daskml_dist.fit.spine import fit
from daskml_dist.fit.training import Interrupted, Outcome, Training

__all__ = ["Interrupted", "Outcome", "Training", "fit", "score"]
