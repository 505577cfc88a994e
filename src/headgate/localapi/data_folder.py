"""The files of an API beside its objects: CA, certificate, administrator's token, signing key.

Each secret is written whole, with mode 0600. A secret that is empty or damaged is refused and never replaced: an empty
token or key would let every client in as the administrator, and a new one would end the access of existing clients.
"""

import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from headgate import pki
from headgate.api.tls import TlsError
from headgate.host.files import private_folder, write_durably

#: The shortest token, in characters, and the shortest signing key, in bytes (RFC 7518 §3.2 for HS256).
MIN_TOKEN, MIN_KEY = 16, 32


class StartError(Exception):
    """The API cannot start. The message names the reason and a remedy."""


class DataFolder:
    """The files of an API beside its objects. Every method raises `StartError`."""

    def __init__(self, path: Path) -> None:
        try:
            self.path = private_folder(path)
        except OSError as error:
            raise StartError(
                f"--data {path} cannot be used as a folder ({error.strerror}): choose another one"
            ) from None

    def authority(self, now: float) -> pki.CertificateAuthority:
        """The CA that clients trust. It stays the same across starts."""
        path = self.path / "authority.json"
        content = _stored(path, lambda: msgspec.json.encode(pki.ca_data(pki.create_ca(now))))
        try:
            return pki.load_ca(msgspec.json.decode(content, type=dict[str, str]))
        except (msgspec.DecodeError, TlsError) as error:
            raise _damaged(path, f"is no CA ({error})", "clients then need the new kubeconfig") from None

    def token(self) -> str:
        """The administrator's token: printable ASCII characters without spaces."""
        path = self.path / "token"
        content = _stored(path, lambda: secrets.token_urlsafe(32).encode())
        if len(content) < MIN_TOKEN:
            raise _damaged(path, f"has {len(content)} bytes, fewer than {MIN_TOKEN}", _NEW_TOKEN)
        if not all(0x20 < byte < 0x7F for byte in content):
            raise _damaged(path, "has bytes that are no printable ASCII characters", _NEW_TOKEN)
        return content.decode()

    def signing_key(self) -> bytes:
        """The key that signs ServiceAccount tokens."""
        path = self.path / "signing.key"
        key = _stored(path, lambda: secrets.token_bytes(32))
        if len(key) < MIN_KEY:
            raise _damaged(path, f"has {len(key)} bytes, fewer than {MIN_KEY}", _NEW_KEY)
        if not any(key):
            raise _damaged(path, "has only zero bytes", _NEW_KEY)
        return key

    def certificate(self, authority: pki.CertificateAuthority, address: str, now: float) -> tuple[Path, Path]:
        """The files with the certificate and the key of this start."""
        names = sorted({address, "127.0.0.1", "localhost", "kubernetes.default.svc", "kubernetes"})
        certified = pki.issue_server(authority, names, now, lifetime=365 * 86_400.0)
        certificate, key = self.path / "tls.crt", self.path / "tls.key"
        write_secret(certificate, certified.certificate)
        write_secret(key, certified.key)
        return certificate, key


_NEW_TOKEN = "clients then need the new kubeconfig"  # noqa: S105
_NEW_KEY = "tokens of ServiceAccounts are then issued again"


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, completely or not at all. Raises `StartError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, content)
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}") from None


def _stored(path: Path, create: Callable[[], bytes]) -> bytes:
    """The content of a secret; it is created if the file does not exist."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        content = create()
        write_secret(path, content)
        return content
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}") from None


def _damaged(path: Path, problem: str, consequence: str) -> StartError:
    return StartError(
        f"{path} {problem}: restore it from a copy, or delete it so that the next start makes a new one ({consequence})"
    )
