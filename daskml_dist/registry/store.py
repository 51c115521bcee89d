"""The registry: a plain directory, or any URL that fsspec knows.

    <registry>/claims/versions/3/         model.json, weights.safetensors, card.md, ... manifest.json
    <registry>/claims/aliases/champion/7/ event.json

Nothing in it is ever changed, so that rsync copies it. A version appears at once, by the renaming of its
directory; on an object store it is there when its manifest is.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, final

from daskml_dist import edge
from daskml_dist.edge import InvalidModel
from daskml_dist.registry import aliases, signing
from daskml_dist.registry.aliases import Event
from daskml_dist.registry.comparing import Comparison, compare
from daskml_dist.registry.names import NotRegistered, checked_name, parse
from daskml_dist.registry.signing import PrivateKey, PublicKey
from daskml_dist.registry.version import Version
from daskml_dist.storage import Folder, create_folder, create_next, dumps, numbers

ENVIRONMENT = "DASKML_DIST_REGISTRY"
_DEFAULT = "~/.local/share/daskml_dist/registry"
_CACHE = "~/.cache/daskml_dist/models"


@final
class Registry:
    """Models by name, with versions and aliases.

    Parameters
    ----------
    url : directory or fsspec URL; None for that in the environment variable DASKML_DIST_REGISTRY, or
        ~/.local/share/daskml_dist/registry.
    trusted : ed25519 public keys, or paths of their PEM files. Versions that none of them has signed are
        refused. None takes versions without a signature.
    cache : where versions of a URL are kept when they have been downloaded.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> from daskml_dist.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> store = Registry(tempfile.mkdtemp())
    >>> model = LogisticRegression(verbose=0).fit(X, y)
    >>> version = store.register(model, "iris", data=X, target=y, alias="champion")
    >>> version.spec, store.load("iris@champion").predict(X[:2])
    ('iris/1', array([0, 0]))
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | None = None,
        *,
        trusted: Sequence[PublicKey] | None = None,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        given = os.environ.get(ENVIRONMENT) or _DEFAULT if url is None else os.fspath(url)
        self._root = Folder(os.path.expanduser(given))
        self._trusted = None if trusted is None else [signing.public_key(key) for key in trusted]
        self._cache = Path(_CACHE if cache is None else cache).expanduser()
        self.url = self._root.address()

    # -- looking up -------------------------------------------------------------------------------

    def models(self) -> list[str]:
        """The names of all models that have a version."""
        found = []
        for name in self._root.names():
            try:
                checked_name(name)
            except ValueError:  # something else that lies there
                continue
            if self._complete(name):
                found.append(name)
        return found

    def numbers(self, name: str) -> list[int]:
        """The numbers of a model's versions in order; their manifests are not read."""
        return self._complete(checked_name(name))

    def versions(self, name: str) -> list[Version]:
        """All versions of a model in order; ``NotRegistered`` where there is none.

        Raises
        ------
        InvalidModel
            One of them is damaged; ``version`` reads the others.
        """
        found = [self._version(name, number) for number in self._complete(checked_name(name))]
        if not found:
            raise NotRegistered(self._unknown(name))
        return found

    def version(self, spec: str) -> Version:
        """The version that is meant by "claims/3", "claims@champion", or "claims" (the newest).

        Raises
        ------
        NotRegistered
            There is no such model, version or alias.
        InvalidModel
            Its manifest is damaged or forged, of another version, or not signed by a trusted key.
        """
        name, number, alias = parse(spec)
        if alias is not None:
            number = aliases.current(self._alias(name, alias), name, alias)
        elif number is None:
            complete = self._complete(name)
            if not complete:
                raise NotRegistered(self._unknown(name))
            number = complete[-1]
        return self._version(name, number)

    def aliases(self, name: str) -> dict[str, int]:
        """The aliases of a model, and the number of the version that each of them means."""
        folder = self._folder(checked_name(name), "aliases")
        found = {alias: folder.child(alias) for alias in folder.names()}
        return {alias: aliases.current(at, name, alias) for alias, at in found.items() if numbers(at)}

    def history(self, name: str, alias: str = "champion") -> list[Event]:
        """All that has happened to an alias, oldest first; the chain of digests is checked."""
        return aliases.read(self._alias(checked_name(name), checked_name(alias, "alias")), name, alias)

    def compare(self, first: str, second: str) -> Comparison:
        """Two versions side by side; see ``version`` for how they are called."""
        return compare(self.version(first), self.version(second))

    # -- loading ----------------------------------------------------------------------------------

    def local(self, spec: str) -> str:
        """A local directory with the files of a version, for ``edge.load``.

        That of a registry on this machine is the version itself. Of a URL it is downloaded once, and every
        file compared with the manifest.

        Raises
        ------
        InvalidModel
            The version is damaged, forged, or not signed by a trusted key.
        """
        version = self.version(spec)
        return version.url if self._root.local else self._downloaded(version)

    def card(self, spec: str) -> str:
        """The card of a version, as Markdown.

        Raises
        ------
        InvalidModel
            The version is damaged or has no card; also see ``local``.
        """
        directory = self.local(spec)
        files = edge.Sealed(partial(edge.read_file, directory))
        if "card.md" not in files.names:
            raise InvalidModel(f"{spec} has no card.md, which registering writes.")
        return files.data("card.md").decode("utf-8", errors="replace")

    def load(self, spec: str) -> edge.Model:
        """The model as a function; golden rows are compared. See ``edge.load``."""
        return edge.load(self.local(spec))

    def estimator(self, spec: str) -> Any:
        """The fitted estimator that was registered; see ``daskml_dist.load``.

        Raises
        ------
        CheckpointInvalid
            The version holds an answer without an estimator, since it was compressed or imported.
        """
        from daskml_dist.saving import load  # with scikit-learn and Dask, which looking up does not need

        return load(self.local(spec))

    def export_onnx(self, spec: str, path: str | os.PathLike[str], *, dtype: str = "float64") -> None:
        """Write a version as ONNX, and compare it on golden rows; see ``registry.onnx_export``."""
        from daskml_dist.registry.onnx_export import export_onnx  # an extra

        export_onnx(self.load(spec), path, dtype=dtype)

    # -- changing ---------------------------------------------------------------------------------

    def register(
        self,
        model: Any,
        name: str,
        data: Any = None,
        target: Any = None,
        *,
        lineage: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        columns: Sequence[edge.Column] | None = None,
        personal: Sequence[str] = (),
        notes: str = "",
        parent: str | None = None,
        alias: str | None = None,
        by: str | None = None,
        sign: PrivateKey | None = None,
    ) -> Version:
        """Add a version of a model; 20 processes may do so at once, and be killed at any moment.

        Parameters
        ----------
        model : a fitted linear estimator of this library or of scikit-learn, a Pipeline of scalers that ends
            in one, or an answer such as ``compress`` gives.
        name : such as "claims".
        data, target : features (n, p) and target (n,) of the training, in memory or lazy: one pass over them
            gives golden rows, means, the bins for drift and a fingerprint. None leaves all that out.
        lineage : what else there is to say of where it comes from, as JSON.
        metrics : numbers by name, or by name and slice: {"accuracy": 0.9, "accuracy of": {"site a": 0.8}}.
        columns : how its features come from the columns of the data; None where they are the columns.
        personal : names of columns whose values are about a person, and never logged.
        notes : for the card. parent : the version that it was made from, such as "claims/2".
        alias : that means this version from now on. by : who; None for the user of this process.
        sign : an ed25519 private key, or the path of its PEM file.

        Returns
        -------
        The version; ``model`` itself stays as it is.

        Raises
        ------
        UnsupportedParameter, InvalidData
            The model has no answer for single rows, or something does not fit it.
        OSError
            It cannot be written; nothing of it can be seen.
        """
        from daskml_dist.registry.registering import Asked, composed  # with scikit-learn and Dask

        checked_name(name)
        if alias is not None:
            checked_name(alias, "alias")
        who = aliases.user() if by is None else by
        asked = Asked(data, target, lineage, metrics, columns, personal, notes, parent)
        fixed, numbered = composed(model, name, asked, who)

        def written(number: int) -> dict[str, bytes]:
            files = numbered(number)
            manifest = files.pop(edge.MANIFEST)  # the last to be written
            if sign is not None:
                files[signing.FILE] = dumps({**signing.signature(manifest, sign)})
            return {**files, edge.MANIFEST: manifest}

        number = create_next(self._folder(name, "versions"), fixed, written)
        if alias is not None:
            self.promote(name, number, alias=alias, by=who, why="registered")
        return self._version(name, number)

    def promote(
        self, name: str, version: int, *, alias: str = "champion", by: str | None = None, why: str = ""
    ) -> Event:
        """Let an alias mean a version from now on.

        Parameters
        ----------
        name, version : such as "claims" and 3.
        alias : a name. by : who; None for the user of this process. why : for the history.

        Raises
        ------
        NotRegistered, InvalidModel
            There is no such version, or it is damaged or not signed by a trusted key.
        """
        folder = self._alias(checked_name(name), checked_name(alias, "alias"))
        self._version(name, version)
        return aliases.append(folder, name, alias, "promote", lambda events: version, by, why)

    def rollback(self, name: str, alias: str = "champion", *, by: str | None = None, why: str = "") -> Event:
        """Undo the last promotion: the alias means what it meant before.

        Raises
        ------
        NotRegistered
            The alias has meant no other version before.
        """
        folder = self._alias(checked_name(name), checked_name(alias, "alias"))
        return aliases.append(folder, name, alias, "rollback", aliases.before, by, why)

    # -- places -----------------------------------------------------------------------------------

    def _folder(self, *parts: str) -> Folder:
        folder = self._root
        for part in parts:
            folder = folder.child(part)
        return folder

    def _alias(self, name: str, alias: str) -> Folder:
        return self._folder(name, "aliases", alias)

    def _complete(self, name: str) -> list[int]:
        """The numbers of the versions that are there to the end."""
        folder = self._folder(name, "versions")
        found = numbers(folder)
        return found if folder.local else [n for n in found if edge.MANIFEST in folder.child(str(n)).names()]

    def _version(self, name: str, number: int) -> Version:
        folder = self._folder(name, "versions", str(number))
        try:
            files = edge.Sealed(folder.read_bounded)
        except (FileNotFoundError, NotADirectoryError) as error:
            known = ", ".join(map(str, self._complete(name)[-8:]))
            there = f"there are {known}" if known else self._unknown(name)
            raise NotRegistered(f"{name} has no version {number}; {there}.") from error
        manifest = files.manifest
        if (manifest["name"], manifest["version"]) != (name, number) or not isinstance(
            manifest["lineage"], dict
        ):
            raise edge.InvalidModel(f"{folder.address()} says that it is another version; it is not used.")
        signed = None if self._trusted is None else signing.check(folder, files.raw, self._trusted)
        spec = f"{name}/{number}"
        return Version(name, number, folder.address(), manifest, signed, lambda: self.local(spec))

    def _downloaded(self, version: Version) -> str:
        folder = Folder(version.url)
        files = edge.Sealed(folder.read_bounded)
        target = self._cache / files.manifest["sha256"]
        if not target.exists():
            content = {name: files.data(plain) for plain, name in files.names.items()}
            try:
                create_folder(Folder(target), content | {edge.MANIFEST: files.raw})
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # somebody else was faster
                    raise
        if (target / edge.MANIFEST).read_bytes() != files.raw:
            raise edge.InvalidModel(
                f"{target} is not {version.spec} any more; remove it, and it is downloaded again."
            )
        return str(target)

    def _unknown(self, name: str) -> str:
        return f"there is no model {name!r} in {self.url}; there are {', '.join(self.models()[:8]) or 'none'}"
