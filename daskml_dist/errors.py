"""The complaints: each says what was given, what was expected and what to do.

All of them that concern the caller's data or parameters are also ``ValueError``, which is what
users of scikit-learn catch.
"""

from __future__ import annotations


class DaskmlDistError(Exception):
    """Everything that this library raises on purpose."""


class InvalidData(DaskmlDistError, ValueError):
    """The data cannot be used as given: shapes, labels, weights, domains."""


class NonFiniteData(InvalidData):
    """NaN or infinity in X, y, sample_weight or offset; the message names chunk and column."""


class ChunkUnreadable(InvalidData):
    """A chunk could not be read or computed; the message names it and says what failed."""


class ChunkMismatch(InvalidData):
    """Arrays that must have the same rows are cut or sized differently."""


class UnsupportedParameter(DaskmlDistError, ValueError):
    """A parameter of scikit-learn that has no meaning here was set to something else than its default."""


class UnsupportedCombination(DaskmlDistError, ValueError):
    """A solver was asked for what it cannot do; the message names one that can."""


class CheckpointInvalid(DaskmlDistError):
    """A checkpoint or a model directory is damaged, foreign, or of other data or parameters."""


class CheckpointMissing(DaskmlDistError, FileNotFoundError):
    """A fit was to go on from a checkpoint, and there is none."""


class FitStopped(DaskmlDistError, RuntimeError):
    """A fit was stopped by request, and there is nothing yet, or nothing ever, that it could keep."""


class ClusterGaveUp(DaskmlDistError, RuntimeError):
    """The cluster could not answer after repeated repairs; the message gives the likely cause."""
