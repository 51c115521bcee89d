"""Many conversations at once, with the hands that hold the data."""

from __future__ import annotations

from daskml_dist.cluster import Hands
from daskml_dist.fit.conversation import hold
from daskml_dist.fit.log import Log
from daskml_dist.fit.stopping import refuse_to_keep
from daskml_dist.fit.training import Interrupted
from daskml_dist.monitor import Status, StopAsked
from daskml_dist.solvers import ManyConversation, Meeting


def meet(conversation: ManyConversation, hands: Hands, log: Log) -> Meeting:
    """Let many solvers ask and the hands answer; whoever listens hears how it ended."""
    status: Status = "failed"
    message = ""
    try:
        log.control.begin(steerable=False)
        met = hold(conversation, hands, log, lambda state: None)
        status = "converged" if all(one.solution.converged for one in met.judged) else "stopped"
        return met
    except KeyboardInterrupt:
        status = "interrupted"
        raise Interrupted(None) from None
    except StopAsked:
        status, message = "stopped", "by request"
        refuse_to_keep("A training of many models at once")
    finally:
        log.ended(status, message)
