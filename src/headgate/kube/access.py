"""How to reach an API: from kubeconfig files, `$KUBECONFIG`, or the service account of a pod.

lightkube reads the files and sets up TLS; `credentials` has what it does not support.
"""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec
import yaml

from .credentials import Anonymous, Credentials, ExecPlugin, ExecSpec, StaticCredentials, TokenFile

if TYPE_CHECKING:
    from lightkube.config.kubeconfig import SingleConfig
    from lightkube.config.models import User

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class AccessError(Exception):
    """The configuration is missing or invalid: no file, an unknown context, an unreadable certificate."""


class Access(msgspec.Struct, frozen=True):
    """The server, the credentials and the transport of an API."""

    server: str
    tls: ssl.SSLContext | None = None
    credentials: Credentials = Anonymous()
    proxy: str | None = None
    #: The server name for TLS (`tls-server-name`) instead of the host of `server`.
    server_name: str | None = None
    #: The context's namespace.
    namespace: str = "default"


def from_kubeconfig(path: str | Path | None = None, context: str | None = None) -> Access:
    """The access of a kubeconfig.

    Args:
        path: a file; None: `$KUBECONFIG`, else `~/.kube/config`. Several files are merged as kubectl does: the first
            one that sets something wins.
        context: the name of a context; None: the current context.

    Raises:
        AccessError: names the file and the problem.
    """
    from lightkube.config.kubeconfig import KubeConfig  # noqa: PLC0415 - its import takes 0.25 s
    from lightkube.core.exceptions import ConfigError  # noqa: PLC0415

    paths = [Path(path)] if path else default_paths(os.environ)
    merged = merge([read(file) for file in paths if path or file.is_file()])
    where = os.pathsep.join(map(str, paths))
    if not merged:
        raise AccessError(f"no kubeconfig: {where} does not exist")
    try:
        chosen = KubeConfig.from_dict(merged, fname=paths[0].absolute()).get(context)
    except (ConfigError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise AccessError(f"kubeconfig {where}: {_sentence(error)}") from None
    if chosen is None:
        raise AccessError(f"kubeconfig {where}: no current context is set; `kubectl config use-context` sets one")
    try:
        return _access(chosen, merged)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise AccessError(f"kubeconfig {where}, context {chosen.context_name}: {error}") from None


def from_environment(kubeconfig: str | Path | None = None) -> Access:
    """The access of the given kubeconfig, else `$KUBECONFIG`, the pod's service account, or `~/.kube/config`."""
    if not kubeconfig and not os.environ.get("KUBECONFIG") and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return from_service_account(SERVICE_ACCOUNT, os.environ)
    return from_kubeconfig(kubeconfig)


def from_service_account(folder: Path, environment: Mapping[str, str]) -> Access:
    """The access of a pod: token, CA and namespace from `folder`, the server from the environment."""
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        tls = _lenient(ssl.create_default_context(cafile=str(folder / "ca.crt")))
        namespace = (folder / "namespace").read_text().strip()
        token_size = (folder / "token").stat().st_size
    except OSError as error:
        raise AccessError(f"service account {folder}: {error.filename or 'ca.crt'}: {error.strerror}") from None
    if not token_size:
        raise AccessError(f"service account {folder}: the token is empty")
    host = f"[{host}]" if ":" in host else host
    return Access(
        server=f"https://{host}:{port}", tls=tls, credentials=TokenFile(folder / "token"), namespace=namespace
    )


def default_paths(environment: Mapping[str, str]) -> list[Path]:
    """The files that kubectl reads: those of `$KUBECONFIG`, else `~/.kube/config`."""
    if listed := environment.get("KUBECONFIG"):
        return [Path(file) for file in listed.split(os.pathsep) if file]
    return [Path("~/.kube/config").expanduser()]


def read(path: Path) -> dict[str, Any]:
    """A kubeconfig file with all paths made absolute. Raises `AccessError`."""
    try:
        document = yaml.safe_load(path.expanduser().read_text())
    except OSError as error:
        raise AccessError(f"kubeconfig {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise AccessError(f"kubeconfig {path}: not YAML: {error}") from None
    if not isinstance(document, dict):
        raise AccessError(f"kubeconfig {path}: expected a mapping with clusters, contexts and users")
    for section, inner in (("clusters", "cluster"), ("users", "user")):
        for entry in document.get(section) or ():
            entry[inner] = _absolute(entry.get(inner) or {}, path.expanduser().absolute().parent)
    return document


def _absolute(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Makes paths absolute: they are relative to the folder of their own file, also after a merge."""
    names = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    return section | {name: str(folder / section[name]) for name in names if section.get(name)}


def merge(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Several kubeconfigs as one; of two entries with the same name the first wins."""
    merged: dict[str, Any] = {}
    for document in documents:
        for section in ("clusters", "contexts", "users"):
            names = {entry["name"] for entry in merged.get(section, ())}
            new = [entry for entry in document.get(section) or () if entry.get("name") not in names]
            merged[section] = [*merged.get(section, ()), *new]
        if not merged.get("current-context"):
            merged["current-context"] = document.get("current-context") or None
    return merged


def _access(chosen: "SingleConfig", merged: dict[str, Any]) -> Access:
    from lightkube.config.client_adapter import verify_cluster  # noqa: PLC0415
    from lightkube.config.models import User  # noqa: PLC0415

    user = chosen.user or User()
    cluster = next(c["cluster"] for c in merged["clusters"] if c["name"] == chosen.context.cluster)
    server = chosen.cluster.server.rstrip("/")
    tls = None
    if server.startswith("https:"):
        tls = _lenient(verify_cluster(chosen.cluster, user, chosen.abs_file, trust_env=False))
    return Access(
        server=server,
        tls=tls,
        credentials=_credentials(user, tls),
        proxy=cluster.get("proxy-url") or proxy_of(server),
        server_name=cluster.get("tls-server-name"),
        namespace=chosen.namespace,
    )


def _credentials(user: "User", tls: ssl.SSLContext | None) -> Credentials:
    if user.token_file:
        return TokenFile(Path(user.token_file))
    if user.token:
        return StaticCredentials.bearer(user.token)
    if user.exec:
        spec = ExecSpec(
            command=user.exec.command,
            args=tuple(user.exec.args or ()),
            env={variable.name: variable.value for variable in user.exec.env or ()},
            api_version=user.exec.apiVersion,
            install_hint=user.exec.installHint or "",
        )
        return ExecPlugin(spec, tls)
    if user.username and user.password:
        return StaticCredentials.basic(user.username, user.password)
    if user.auth_provider:
        raise ValueError("auth-provider was removed from Kubernetes; use an exec plugin")
    return Anonymous()


def _lenient(tls: ssl.SSLContext) -> ssl.SSLContext:
    """Accept the CAs that Go accepts: many clusters' CAs lack extensions that Python 3.13 requires by default."""
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return tls


def proxy_of(server: str) -> str | None:
    """The proxy for this server from the environment; none for loopback, as in kubectl."""
    parts = urlsplit(server)
    host = parts.hostname or ""
    if host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback):
        return None
    return None if proxy_bypass(host) else getproxies().get(parts.scheme)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _sentence(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    return str(error)
