"""Storage: what is kept on disk. Sealed checkpoints and the model format; nothing is ever unpickled."""

from daskml_dist.storage.checkpoint import Checkpoint
from daskml_dist.storage.checkpoints import Checkpoints, CheckpointSkipped
from daskml_dist.storage.label_arrays import described_labels, made_labels
from daskml_dist.storage.models import ModelRecord, read_model, write_model
from daskml_dist.storage.naming import class_path, resolve
from daskml_dist.storage.sealed import seal, unseal

__all__ = [
    "Checkpoint",
    "CheckpointSkipped",
    "Checkpoints",
    "ModelRecord",
    "class_path",
    "described_labels",
    "made_labels",
    "read_model",
    "resolve",
    "seal",
    "unseal",
    "write_model",
]
