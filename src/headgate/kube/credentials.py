"""Who we are to the API: one class per way a kubeconfig can say so.

Every class gives the `Authorization` header of a request and may be asked for a fresh one after a 401. None of them
shows its secret in `repr`. lightkube 1.0 speaks no `client.authentication.k8s.io/v1`, which is what the exec plugins
of the large clouds speak today, hence `Exec`.
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

#: Versions of the exec credential protocol that we speak.
EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class CredentialError(Exception):
    """Credentials cannot be had: the plugin is missing or failed, the token file is gone."""


class Credentials(Protocol):
    """Gives the `Authorization` header."""

    async def authorization(self) -> str | None:
        """The header's value, or None where the connection itself (a client certificate) says who we are."""
        ...

    async def renew(self) -> bool:
        """The API answered 401: forget what we have. False if there is nothing newer to be had."""
        ...


class Anonymous:
    """No header: a client certificate, or an API that asks nothing."""

    async def authorization(self) -> str | None:
        """Nothing."""
        return None

    async def renew(self) -> bool:
        """There is nothing to renew."""
        return False


class StaticCredentials:
    """A token or a name and password that stands in the kubeconfig itself."""

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
        """There is nothing to renew."""
        return False


class TokenFile:
    """A token in a file that somebody else renews: the service account of a pod.

    Read again after `period` seconds, because a kubelet replaces it long before the old one ends, and after a 401.
    """

    def __init__(self, path: Path, *, period: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._period = period
        self._clock = clock
        self._header = ""
        self._read_at = 0.0

    async def authorization(self) -> str | None:
        """The header with the token of the file."""
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
    """Asks an exec plugin, never interactively; remembers the answer until it ends or the API answers 401."""

    def __init__(
        self, spec: ExecSpec, tls: ssl.SSLContext | None, *, clock: Callable[[], float] = time.time, timeout: float = 60
    ) -> None:
        if spec.api_version not in EXEC_VERSIONS:
            raise CredentialError(f"exec plugin speaks {spec.api_version}; supported: {', '.join(EXEC_VERSIONS)}")
        self._spec = spec
        self._tls = tls
        self._clock = clock
        self._timeout = timeout
        self._header: str | None = None
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def authorization(self) -> str | None:
        """The header with the plugin's token; None if the plugin answered with a client certificate."""
        async with self._asking:
            if self._clock() >= self._good_until:
                self._take(await self._ask())
        return self._header

    async def renew(self) -> bool:
        """Ask the plugin again at the next request."""
        self._good_until = 0.0
        return True

    async def _ask(self) -> _ExecStatus:
        spec = self._spec
        wish = {"apiVersion": spec.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
        env = {**os.environ, **spec.env, "KUBERNETES_EXEC_INFO": msgspec.json.encode(wish).decode()}
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
            raise CredentialError(f"exec plugin {spec.command}: no answer in {self._timeout:g} s") from None
        if process.returncode != 0:
            said = err.decode(errors="replace").strip()[-300:]
            raise CredentialError(f"exec plugin {spec.command} ended with {process.returncode}: {said}")
        try:
            answer = msgspec.json.decode(out, type=_ExecCredential)
        except msgspec.DecodeError:
            raise CredentialError(f"exec plugin {spec.command} answered no ExecCredential") from None
        if answer.status is None:
            raise CredentialError(f"exec plugin {spec.command} answered an ExecCredential without status")
        return answer.status

    def _take(self, status: _ExecStatus) -> None:
        if status.client_certificate_data and status.client_key_data and self._tls:
            load_client_certificate(self._tls, status.client_certificate_data.encode(), status.client_key_data.encode())
        elif not status.token:
            raise CredentialError(f"exec plugin {self._spec.command} gave neither a token nor a client certificate")
        self._header = f"Bearer {status.token}" if status.token else None
        ends = datetime.fromisoformat(status.expiration_timestamp) if status.expiration_timestamp else None
        self._good_until = ends.timestamp() - 10 if ends else float("inf")


def load_client_certificate(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Gives PEM bytes to OpenSSL, which reads files only; the file is private and gone when this returns."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        tls.load_cert_chain(file.name)
