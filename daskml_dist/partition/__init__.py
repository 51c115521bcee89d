"""Partitions: pure rules for which row belongs together with which, and which chunk lives where."""

from daskml_dist.partition._base import Plan
from daskml_dist.partition._strategy import Asks, Assignment, Strategy
from daskml_dist.partition.by_cluster import ByCluster
from daskml_dist.partition.by_group import ByGroup
from daskml_dist.partition.by_resources import Offer, by_resources
from daskml_dist.partition.even import Even
from daskml_dist.partition.hash import Hash, key_hash
from daskml_dist.partition.in_place import in_place, together
from daskml_dist.partition.longest_first import longest_first
from daskml_dist.partition.random import Random
from daskml_dist.partition.replanned import BALANCED, Facts, Move, replanned
from daskml_dist.partition.sequential import Sequential, sequential
from daskml_dist.partition.stratified import Stratified

__all__ = [
    "Asks",
    "Assignment",
    "BALANCED",
    "ByCluster",
    "ByGroup",
    "Even",
    "Facts",
    "Hash",
    "Move",
    "Offer",
    "Plan",
    "Random",
    "Sequential",
    "Strategy",
    "Stratified",
    "by_resources",
    "in_place",
    "key_hash",
    "longest_first",
    "replanned",
    "sequential",
    "together",
]
