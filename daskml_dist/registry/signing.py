"""Signatures of manifests with ed25519: who vouches for a version."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from daskml_dist.edge import InvalidModel, keys_of, parsed
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.storage import Folder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PrivateKey: TypeAlias = "Ed25519PrivateKey | str | os.PathLike[str]"
PublicKey: TypeAlias = "Ed25519PublicKey | str | os.PathLike[str]"

FILE = "signature.json"
_KEYS = {"algorithm", "key_id", "signature"}


def create_key(path: str | os.PathLike[str]) -> str:
    """Make a key pair: PEM files ``path``, for its owner alone, and ``path``.pub.

    Returns
    -------
    The identity of the key.

    Raises
    ------
    FileExistsError
        There is such a file.
    """
    serialization, ed25519 = _cryptography()
    key = ed25519.Ed25519PrivateKey.generate()
    form, none = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, none)
    public = key.public_key().public_bytes(form, serialization.PublicFormat.SubjectPublicKeyInfo)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
    with open(f"{os.fspath(path)}.pub", "xb") as file:
        file.write(public)
    return key_id(key.public_key())


def signature(manifest: bytes, key: PrivateKey) -> dict[str, str]:
    """The content of signature.json for the bytes of a manifest."""
    serialization, ed25519 = _cryptography()
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        key = _loaded(serialization.load_pem_private_key, key, password=None)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise UnsupportedParameter(
            f"sign={key!r}: expected an ed25519 private key, or the path of its PEM file."
        )
    signed = base64.b64encode(key.sign(manifest)).decode("ascii")
    return {"algorithm": "ed25519", "key_id": key_id(key.public_key()), "signature": signed}


def public_key(key: PublicKey) -> Ed25519PublicKey:
    """A public key from itself or a PEM file."""
    serialization, ed25519 = _cryptography()
    found: Any = key
    if not isinstance(key, ed25519.Ed25519PublicKey):
        found = _loaded(serialization.load_pem_public_key, key)
    if not isinstance(found, ed25519.Ed25519PublicKey):
        raise UnsupportedParameter(f"trusted={key!r}: expected ed25519 public keys, or paths of PEM files.")
    public: Ed25519PublicKey = found
    return public


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def check(folder: Folder, manifest: bytes, trusted: list[Ed25519PublicKey]) -> str:
    """The identity of the trusted key that has signed these bytes.

    Raises
    ------
    InvalidModel
        There is no signature, it is of another key, or it is not of these bytes.
    """
    from cryptography.exceptions import InvalidSignature

    where = folder.address()
    try:
        told = keys_of(parsed(folder.read_bounded(FILE, 4096), FILE), _KEYS, FILE)
        signed = base64.b64decode(told["signature"], validate=True)
    except FileNotFoundError as error:
        raise InvalidModel(f"{where} is not signed, and only signed versions are trusted here.") from error
    except (TypeError, ValueError) as error:
        raise InvalidModel(f"{where}: {FILE} is damaged ({error}).") from error
    for key in trusted:
        if key_id(key) == told["key_id"] and told["algorithm"] == "ed25519":
            try:
                key.verify(signed, manifest)
            except InvalidSignature:
                break
            return key_id(key)
    raise InvalidModel(f"{where} is not signed by a key that is trusted here.")


def _loaded(load: Any, path: Any, **arguments: Any) -> Any:
    try:
        return load(Path(path).read_bytes(), **arguments)
    except (TypeError, ValueError) as error:
        raise UnsupportedParameter(f"{path!r} is no PEM file of an ed25519 key: {error}") from error


def _cryptography() -> tuple[Any, Any]:
    """The modules of an optional dependency."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise ImportError('Signatures need cryptography: pip install "daskml_dist[serve]"') from error
    return serialization, ed25519
