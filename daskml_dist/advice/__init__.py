"""Advice: what a fit costs before it is run, on clusters that are there and on clusters that are not."""

from daskml_dist.advice._advice import Advice
from daskml_dist.advice._chunks import Chunks
from daskml_dist.advice._cost import FitCost, PassCost, Tree
from daskml_dist.advice._figures import Figure
from daskml_dist.advice._machine import Machine
from daskml_dist.advice._nodes import Nodes
from daskml_dist.advice._planning import plan
from daskml_dist.advice._simulate import Simulation, simulate
from daskml_dist.advice._strategy import Strategy
from daskml_dist.advice._work import Work

__all__ = [
    "Advice",
    "Chunks",
    "Figure",
    "FitCost",
    "Machine",
    "Nodes",
    "PassCost",
    "Simulation",
    "Strategy",
    "Tree",
    "Work",
    "plan",
    "simulate",
]
