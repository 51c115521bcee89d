"""Updates: a registered model learns from new data, and is promoted only where it has become better."""

from daskml_dist.update.updating import Outcome, update

__all__ = ["Outcome", "update"]
