"""The hands: threads or a cluster, held to the same contract and the same bits."""

from daskml_dist.cluster._base import Hands, Holding
from daskml_dist.cluster.blas import single_threaded_blas
from daskml_dist.cluster.blockwise import BlockModel, Blockwise
from daskml_dist.cluster.connect import connect
from daskml_dist.cluster.in_process import InProcess
from daskml_dist.cluster.memory import process_limit
from daskml_dist.cluster.on_dask import OnDask
from daskml_dist.cluster.piecework import piecework
from daskml_dist.cluster.scheduler_internals import scheduler_id
from daskml_dist.cluster.sender import Sender
from daskml_dist.cluster.supervisor import Patience

__all__ = [
    "BlockModel",
    "Blockwise",
    "Hands",
    "Holding",
    "InProcess",
    "OnDask",
    "Patience",
    "Sender",
    "connect",
    "piecework",
    "process_limit",
    "scheduler_id",
    "single_threaded_blas",
]
