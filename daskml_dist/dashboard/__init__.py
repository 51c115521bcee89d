"""Pictures: the only room that draws."""

from daskml_dist.dashboard.balance import plot_balance

__all__ = ["plot_balance"]
