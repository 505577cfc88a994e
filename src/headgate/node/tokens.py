"""Tokens of a pod's service account, for its projected volumes: asked for, and renewed in time.

They are bound to the pod: the API stops accepting them when it is gone.
"""

import asyncio
import time
from collections.abc import Callable

import msgspec
import structlog

from headgate.api.core import Pod, ServiceAccount, ServiceAccountTokenProjection
from headgate.api.times import seconds
from headgate.kube.client import ApiError, Client

_log = structlog.get_logger("headgate.node")

#: A token is renewed when this share of its life is over.
_RENEW = 0.8
_PAUSE = 1.0


class _Status(msgspec.Struct):
    token: str
    expiration_timestamp: str = msgspec.field(name="expirationTimestamp")


class _Answer(msgspec.Struct):
    status: _Status


class ServiceAccountTokens:
    """The tokens of one pod. `changed` is called when one is new."""

    def __init__(self, client: Client, pod: Pod, changed: Callable[[], None]) -> None:
        self.tokens: dict[ServiceAccountTokenProjection, str] = {}
        self._client = client
        self._pod = pod
        self._changed = changed

    async def keep_fresh(self) -> None:
        """Until cancelled; at once when the pod has no such volume."""
        async with asyncio.TaskGroup() as tasks:
            for volume in self._pod.spec.volumes:
                for source in volume.projected.sources if volume.projected else ():
                    if source.service_account_token is not None:
                        tasks.create_task(self._keep_one(source.service_account_token))

    async def _keep_one(self, wanted: ServiceAccountTokenProjection) -> None:
        said = ""
        while True:
            try:
                answer = await self._ask(wanted)
            except ApiError as error:
                if str(error) != said:
                    said = str(error)
                    _log.warning("no token", pod=str(self._pod.key), error=said)
                await asyncio.sleep(_PAUSE)
                continue
            self.tokens[wanted] = answer.token
            self._changed()
            expires = seconds(answer.expiration_timestamp) or time.time() + wanted.expiration_seconds
            await asyncio.sleep(max(_PAUSE, (expires - time.time()) * _RENEW))

    async def _ask(self, wanted: ServiceAccountTokenProjection) -> _Status:
        about = self._pod.metadata
        pod = {"apiVersion": "v1", "kind": "Pod", "name": about.name, "uid": about.uid}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [wanted.audience] if wanted.audience else [],
                "expirationSeconds": max(600, wanted.expiration_seconds),
                "boundObjectRef": pod,
            },
        }
        account = self._pod.spec.service_account_name or "default"
        path = self._client.path(ServiceAccount, about.namespace, account, "token")
        answer = await self._client.request("POST", path, body=msgspec.json.encode(body))
        return msgspec.json.decode(answer, type=_Answer).status
