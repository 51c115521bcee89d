"""The spine: a whole training, from containers to a verified optimum."""

from daskml_dist.fit.against_rest import fit_classes
from daskml_dist.fit.crossing import Crossed, cross
from daskml_dist.fit.data import count_rows, settle
from daskml_dist.fit.folding import RULES, Ruled, rule_of, seed, settle_folds
from daskml_dist.fit.minimax import Worst, fit_minimax
from daskml_dist.fit.model_parallel import fit_model_parallel
from daskml_dist.fit.scoring import score
from daskml_dist.fit.spine import fit
from daskml_dist.fit.states import CheckpointNotKept
from daskml_dist.fit.stochastic import fit_stochastic
from daskml_dist.fit.training import Interrupted, Outcome, Training

__all__ = [
    "CheckpointNotKept",
    "Crossed",
    "Interrupted",
    "Outcome",
    "RULES",
    "Ruled",
    "Training",
    "Worst",
    "count_rows",
    "cross",
    "fit",
    "fit_classes",
    "fit_minimax",
    "fit_model_parallel",
    "fit_stochastic",
    "rule_of",
    "score",
    "seed",
    "settle",
    "settle_folds",
]
