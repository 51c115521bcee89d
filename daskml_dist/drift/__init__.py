"""Drift: whether data still look like those of the training, told from counts in fixed bins that add up."""

from daskml_dist.drift.bins import Reference, reference
from daskml_dist.drift.counting import Counter
from daskml_dist.drift.feedback import Feedback, Quality
from daskml_dist.drift.judging import Judgement, judge
from daskml_dist.drift.window import Window

__all__ = ["Counter", "Feedback", "Judgement", "Quality", "Reference", "Window", "judge", "reference"]
