"""Batches: a registered model's answers for whole files and collections, with the bits of a server."""

from daskml_dist.batch.located import Located, locate
from daskml_dist.batch.scorer import Scorer
from daskml_dist.batch.scoring import Report, score

__all__ = ["Located", "Report", "Scorer", "locate", "score"]
