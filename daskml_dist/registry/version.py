"""One version of a model: what its manifest says, and what can be made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from daskml_dist import edge


@final
@dataclass(frozen=True)
class Version:
    """A version of a model, which never changes.

    Attributes
    ----------
    name, number : "claims" and 3. url : of its directory.
    manifest : as it stands there. signed_by : which key, if its signature was checked.
    """

    name: str
    number: int
    url: str
    manifest: Mapping[str, Any] = field(repr=False)
    signed_by: str | None = None
    _local: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    @property
    def spec(self) -> str:
        """How it is called: "claims/3"."""
        return f"{self.name}/{self.number}"

    @property
    def lineage(self) -> Mapping[str, Any]:
        """Where it came from: data, parameters, metrics, packages, parent, who and when."""
        found: Mapping[str, Any] = self.manifest["lineage"]
        return found

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What was measured when it was registered."""
        found: Mapping[str, Any] = self.lineage.get("metrics") or {}
        return found

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(facts["bytes"] for facts in self.manifest["files"].values())

    def local(self) -> str:
        """A local directory with its files; see ``Registry.local``."""
        return self.url if self._local is None else self._local()

    def load(self) -> edge.Model:
        """The model as a function; see ``Registry.load``."""
        return edge.load(self.local())

    def to_sklearn(self) -> Any:
        """A fitted estimator of scikit-learn that predicts the same; see ``registry.to_sklearn``."""
        from daskml_dist.registry.sklearn_models import to_sklearn  # takes a second to import

        return to_sklearn(self.load())
