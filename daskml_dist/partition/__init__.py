"""Partitions: pure rules for which chunk lives where."""

from daskml_dist.partition._base import Plan
from daskml_dist.partition.in_place import in_place
from daskml_dist.partition.sequential import sequential

__all__ = ["Plan", "in_place", "sequential"]
