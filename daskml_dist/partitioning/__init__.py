"""Rows and columns moved into other partitions, and how well these are balanced."""

from daskml_dist.partitioning.balance import Balance, balance
from daskml_dist.partitioning.repartition import Columns, Grid, repartition

__all__ = ["Balance", "Columns", "Grid", "balance", "repartition"]
