"""Progressive-sample Newton: few passes over the data, whatever their conditioning."""

from __future__ import annotations

from typing import ClassVar, Literal, final

from daskml_dist.kernels import Point, Question, Sample
from daskml_dist.losses import ScaledLoss
from daskml_dist.solvers._base import Conversation, Problem, Solver, State, Turn
from daskml_dist.solvers.descent import Policy, descend, metric_of
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.pilot import UNTRUSTED, Pilot, PilotAnswer
from daskml_dist.solvers.surrogate_descent import FAILED, descend_by_surrogates

CHEAP_PARAMETERS = 24  # up to here a pass with Hessian costs at most two without
CHEAP_FLOPS = 5e8  # rows q^2: up to here it is a matter of a tenth of a second
SAMPLE_BYTES = 1 << 28
SMALL_ELEMENTS = 1 << 20  # of X: solved in one task, and verified
DOUBTFUL = 0.05  # contraction from which on the sample lacks rows that matter: rare columns, far outliers
MOST_OF_ALL = 0.7  # share of the rows up to which a sample of them is worth a model of its own


@final
class ProgressiveNewton(Solver):
    """Solve on a sample, then take quasi-Newton steps with full gradients and the sample's Hessian.

    The minimum over m random rows has an excess of about (q / 2) (1 / m - 1 / n), and the metric of
    the sample contracts the rest by about q / m a pass; pairs of full gradients (L-BFGS) add to that.
    The Hessian of all rows is asked for where it is cheap (then the gap is proven), where the gap is to
    be certified, or where the sample predicts that more passes would be needed without it. Mokhtari et
    al. 2016 (Ada Newton), Bollapragada et al. 2018; we differ in keeping one sample metric and
    correcting it by pairs of full gradients.

    Where the two halves of the sample disagree about the Hessian, the sample lacks rows that matter
    (rare columns, classes that are nearly separable). Then each pass draws them, by leverage and by
    residual, and steps to the minimum of a surrogate (surrogate_descent.py).
    """

    name: ClassVar[str] = "progressive-newton"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss"})

    def gathered_bytes(self, problem: Problem) -> int:
        return 8 * sample_rows(problem) * (problem.features + 1)

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if state is not None and state.point is not None:
            numbers = state.numbers
            policy = _policy(problem, numbers["null_value"], numbers["contraction"])
            return (yield from _descend(problem, policy, metric_of(state), state, state.point))
        pilot: PilotAnswer = yield Turn(Question(sample_for(problem), Pilot(problem)), State())
        policy = _policy(problem, pilot.null_value, pilot.contraction)
        state = State(passes=1 if problem.streamed else 0)
        return (yield from _descend(problem, policy, Metric.of(pilot.hessian), state, pilot.point))


def _policy(problem: Problem, null_value: float, contraction: float) -> Policy:
    """What passes are asked for, given what the pilot found; a metric that it does not trust is no help."""
    return Policy("always" if contraction > UNTRUSTED else hessians(problem), null_value, contraction)


def _descend(problem: Problem, policy: Policy, metric: Metric, state: State, point: Point) -> Conversation:
    if _by_surrogates(problem, policy.contraction):
        return descend_by_surrogates(problem, policy, metric, state, point, _surrogate_share(problem))
    return descend(problem, policy, metric, state, point)


def _by_surrogates(problem: Problem, contraction: float) -> bool:
    doubtful = DOUBTFUL < contraction < FAILED
    plain = problem.penalty.smooth and not isinstance(problem.loss, ScaledLoss) and problem.margins == 1
    large = sample_rows(problem) <= MOST_OF_ALL * problem.rows
    return plain and doubtful and large and not _cheap(problem)


def _surrogate_share(problem: Problem) -> float:
    """The share of the rows that a surrogate is made of: twice the sample that misled, if possible."""
    rows = min(2 * sample_rows(problem), SAMPLE_BYTES // (8 * problem.parameters))
    return min(rows / problem.rows, MOST_OF_ALL)


def sample_for(problem: Problem) -> Sample:
    """A sample that is large enough for a start within reach and small enough for one task.

    Of small data with a scale to be learned it has all rows: near a perfect fit many steps are needed.
    """
    if isinstance(problem.loss, ScaledLoss) and problem.rows * problem.features <= SMALL_ELEMENTS:
        return Sample(problem.loss, 1.0, 1.0, problem.seed)
    size = sample_rows(problem)
    events, others = problem.events, problem.rows - problem.events
    few = min(events, others)
    rare = min(few, size // 2)
    common = min(problem.rows - few, size - rare)
    rare_rate = rare / few if few else 1.0
    common_rate = common / max(problem.rows - few, 1)
    rates = (rare_rate, common_rate) if events <= others else (common_rate, rare_rate)
    return Sample(problem.loss, rates[0], rates[1], problem.seed)


def sample_rows(problem: Problem) -> int:
    """How many rows a sample has."""
    q = problem.parameters
    most = min(problem.rows // 4, SAMPLE_BYTES // (8 * (problem.features + 1)))
    return max(min(max(400 * q, 20_000), most), min(problem.rows, 40 * q))


def hessians(problem: Problem) -> Literal["always", "when needed"]:
    """When a pass should ask for the Hessian, see ``Policy``."""
    return "always" if _cheap(problem) else "when needed"


def _cheap(problem: Problem) -> bool:
    """Whether a pass with Hessian takes hardly longer than one without."""
    q = problem.parameters
    return q <= CHEAP_PARAMETERS or problem.rows * float(q) ** 2 <= CHEAP_FLOPS
