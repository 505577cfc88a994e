"""Credentials for the API: one class per kind of credentials in a kubeconfig.

Each class returns the `Authorization` header of a request, and can be renewed after a 401. None of them has its secret
in its `repr`. lightkube 1.0 does not support `client.authentication.k8s.io/v1`, which the exec plugins of the large
clouds use today, hence `ExecPlugin`.
"""

import asyncio
import base64
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

#: The supported versions of the exec credential protocol.
EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class CredentialError(Exception):
    """There are no credentials: the plugin is missing or failed, or the token file cannot be read."""


class Credentials(Protocol):
    """A source of the `Authorization` header."""

    async def authorization(self) -> str | None:
        """The header's value; None if the connection authenticates the client, by its certificate."""
        ...

    async def renew(self) -> bool:
        """The API answered 401: discard the current credentials. False if there can be no newer ones."""
        ...


class Anonymous:
    """No header: for a client certificate, or an API without authentication."""

    async def authorization(self) -> str | None:
        """None."""
        return None

    async def renew(self) -> bool:
        """False: there is nothing to renew."""
        return False


class StaticCredentials:
    """A token, or a name and password, from the kubeconfig itself."""

    def __init__(self, header: str) -> None:
        self._header = header

    @classmethod
    def bearer(cls, token: str) -> "StaticCredentials":
        """`Authorization: Bearer …`."""
        return cls(f"Bearer {token}")

    @classmethod
    def basic(cls, username: str, password: str) -> "StaticCredentials":
        """`Authorization: Basic …`."""
        return cls("Basic " + base64.b64encode(f"{username}:{password}".encode()).decode())

    async def authorization(self) -> str | None:
        """The header, always the same."""
        return self._header

    async def renew(self) -> bool:
        """False: there is nothing to renew."""
        return False


class TokenFile:
    """A token in a file that another process renews, as a kubelet does for the service account of a pod.

    The file is read again after a 401, and after `period` seconds: the token is replaced long before it expires.
    """

    def __init__(self, path: Path, *, period: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._period = period
        self._clock = clock
        self._header = ""
        self._read_at = 0.0

    async def authorization(self) -> str | None:
        """The header with the token of the file. Raises `CredentialError`."""
        if not self._header or self._clock() - self._read_at >= self._period:
            try:
                token = self._path.read_text().strip()
            except OSError as error:
                raise CredentialError(f"token file {self._path}: {error.strerror}") from None
            self._header, self._read_at = f"Bearer {token}", self._clock()
        return self._header

    async def renew(self) -> bool:
        """Read the file again at the next request."""
        self._header = ""
        return True


class ExecSpec(msgspec.Struct, frozen=True):
    """The `user.exec` section of a kubeconfig."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    api_version: str = EXEC_VERSIONS[0]
    install_hint: str = ""


class _ExecStatus(msgspec.Struct, rename="camel"):
    token: str | None = None
    expiration_timestamp: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None


class _ExecCredential(msgspec.Struct, rename="camel"):
    status: _ExecStatus | None = None


class ExecPlugin:
    """Runs an exec plugin, never interactively; keeps its credentials until they expire or the API answers 401."""

    def __init__(
        self, spec: ExecSpec, tls: ssl.SSLContext | None, *, clock: Callable[[], float] = time.time, timeout: float = 60
    ) -> None:
        if spec.api_version not in EXEC_VERSIONS:
            raise CredentialError(f"exec plugin uses {spec.api_version}; supported: {', '.join(EXEC_VERSIONS)}")
        self._spec = spec
        self._tls = tls
        self._clock = clock
        self._timeout = timeout
        self._header: str | None = None
        self._valid_until = 0.0
        self._running = asyncio.Lock()

    async def authorization(self) -> str | None:
        """The header with the plugin's token; None if it returned a client certificate. Raises `CredentialError`."""
        async with self._running:
            if self._clock() >= self._valid_until:
                self._apply(await self._run())
        return self._header

    async def renew(self) -> bool:
        """Run the plugin again at the next request."""
        self._valid_until = 0.0
        return True

    async def _run(self) -> _ExecStatus:
        spec = self._spec
        info = {"apiVersion": spec.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
        env = {**os.environ, **spec.env, "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode()}
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                spec.command, *spec.args, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            hint = f"; {spec.install_hint.strip()}" if spec.install_hint else ""
            raise CredentialError(f"exec plugin {spec.command}: {error.strerror}{hint}") from None
        try:
            async with asyncio.timeout(self._timeout):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            raise CredentialError(f"exec plugin {spec.command}: timed out after {self._timeout:g} s") from None
        if process.returncode != 0:
            message = err.decode(errors="replace").strip()[-300:]
            raise CredentialError(f"exec plugin {spec.command} exited with {process.returncode}: {message}")
        try:
            credential = msgspec.json.decode(out, type=_ExecCredential)
        except msgspec.DecodeError:
            raise CredentialError(f"exec plugin {spec.command} did not print an ExecCredential") from None
        if credential.status is None:
            raise CredentialError(f"exec plugin {spec.command} printed an ExecCredential without status")
        return credential.status

    def _apply(self, status: _ExecStatus) -> None:
        if status.client_certificate_data and status.client_key_data and self._tls:
            load_client_certificate(self._tls, status.client_certificate_data.encode(), status.client_key_data.encode())
        elif not status.token:
            raise CredentialError(f"exec plugin {self._spec.command} returned neither a token nor a client certificate")
        self._header = f"Bearer {status.token}" if status.token else None
        expires = datetime.fromisoformat(status.expiration_timestamp) if status.expiration_timestamp else None
        self._valid_until = expires.timestamp() - 10 if expires else float("inf")


def load_client_certificate(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load PEM bytes into OpenSSL, which reads files only: from a private file that is deleted afterwards."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        tls.load_cert_chain(file.name)
