"""Storage: what is kept on disk. Sealed checkpoints and the model format; nothing is ever unpickled."""

from daskml_dist.storage._folder import Folder, create_folder, create_next, numbers
from daskml_dist.storage._values import dumps
from daskml_dist.storage.answers import Answer, answer_of, columns_for
from daskml_dist.storage.checkpoint import Checkpoint
from daskml_dist.storage.checkpoints import Checkpoints, CheckpointSkipped
from daskml_dist.storage.label_arrays import described_labels, made_labels
from daskml_dist.storage.models import (
    ModelRecord,
    model_files,
    read_model,
    sealed_json,
    sealed_manifest,
    versions,
    write_model,
)
from daskml_dist.storage.naming import class_path, resolve
from daskml_dist.storage.sealed import seal, unseal

__all__ = [
    "Answer",
    "Checkpoint",
    "CheckpointSkipped",
    "Checkpoints",
    "Folder",
    "ModelRecord",
    "answer_of",
    "class_path",
    "columns_for",
    "create_folder",
    "create_next",
    "described_labels",
    "dumps",
    "made_labels",
    "model_files",
    "numbers",
    "read_model",
    "resolve",
    "seal",
    "sealed_json",
    "sealed_manifest",
    "unseal",
    "versions",
    "write_model",
]
