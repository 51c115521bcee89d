"""Where versions of a model come from: a registry, or directories."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol, final

from daskml_dist import edge


@final
class Found(NamedTuple):
    """A version on this machine: the name of its model, its number, its directory."""

    name: str
    version: str
    directory: str


class Source(Protocol):
    """Finds versions."""

    def find(self, spec: str) -> Found:
        """The version that a text stands for, brought here and verified; raises where there is none."""
        ...

    def number(self, spec: str) -> str:
        """Its number alone; cheap, asked every second."""
        ...

    def rolled_back(self, spec: str, version: str) -> str:
        """Move the alias of ``spec`` back from a version; returns what it stands for then."""
        ...


@final
class RegistrySource:
    """Versions of a registry: "claims@champion", "claims/3", "claims".

    Parameters
    ----------
    url : of the registry; None for the usual one.
    """

    def __init__(self, url: str | None) -> None:
        from daskml_dist.registry import Registry  # a gateway of a directory needs none

        self._registry = Registry(url) if url is not None else Registry()

    def find(self, spec: str) -> Found:
        """The version, brought here and verified; raises where there is none."""
        version = self._registry.version(spec)
        directory = self._registry.local(f"{version.name}/{version.number}")
        return Found(version.name, str(version.number), str(directory))

    def number(self, spec: str) -> str:
        """Its number alone."""
        return str(self._registry.version(spec).number)

    def rolled_back(self, spec: str, version: str) -> str:
        """Move the alias back from a version; returns what it stands for then."""
        name, at, alias = spec.partition("@")
        if at and self.number(spec) == version:
            self._registry.rollback(name, alias=alias)
        return self.number(spec)


@final
class DirectorySource:
    """Directories of registered versions; no aliases, so that nothing is picked up by itself."""

    def __init__(self) -> None:
        self._seen: dict[str, Found] = {}

    def find(self, spec: str) -> Found:
        """The version, brought here and verified; raises where there is none."""
        if spec in self._seen:
            return self._seen[spec]
        directory = Path(spec).resolve()
        model = edge.load(directory)
        if model.name is None or model.version is None:
            raise ValueError("it has no name and version; register the model, or give a registered version")
        found = Found(model.name, str(model.version), str(directory))
        self._seen[f"{found.name}/{found.version}"] = found
        return found

    def number(self, spec: str) -> str:
        """Its number alone."""
        return self.find(spec).version

    def rolled_back(self, spec: str, version: str) -> str:
        """Move the alias back from a version; returns what it stands for then."""
        return self.number(spec)


def source_of(spec: str, registry: str | None) -> Source:
    """Directories for a path, else a registry."""
    return (
        DirectorySource()
        if "/" in spec and (Path(spec) / edge.MANIFEST).is_file()
        else RegistrySource(registry)
    )
