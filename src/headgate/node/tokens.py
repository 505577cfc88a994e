"""Tokens of a pod's service account, for its projected volumes: requested, and renewed in time.

They are bound to the pod: the API rejects them when it is deleted.
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

#: The share of its lifetime after which a token is renewed.
_RENEW_AFTER = 0.8
#: Seconds until a request that failed is sent again.
_RETRY = 1.0


class _Status(msgspec.Struct):
    token: str
    expiration_timestamp: str = msgspec.field(name="expirationTimestamp")


class _Answer(msgspec.Struct):
    status: _Status


class ServiceAccountTokens:
    """The tokens of one pod. `on_change` is called for each new one."""

    def __init__(self, client: Client, pod: Pod, on_change: Callable[[], None]) -> None:
        self.tokens: dict[ServiceAccountTokenProjection, str] = {}
        self._client = client
        self._pod = pod
        self._on_change = on_change

    async def keep_fresh(self) -> None:
        """Request and renew them until cancelled; returns at once if the pod has no such volume."""
        async with asyncio.TaskGroup() as tasks:
            for volume in self._pod.spec.volumes:
                for source in volume.projected.sources if volume.projected else ():
                    if source.service_account_token is not None:
                        tasks.create_task(self._keep_one_fresh(source.service_account_token))

    async def _keep_one_fresh(self, wanted: ServiceAccountTokenProjection) -> None:
        reported = ""
        while True:
            try:
                answer = await self._request(wanted)
            except ApiError as error:
                if str(error) != reported:
                    reported = str(error)
                    _log.warning("service account token not issued, retrying", pod=str(self._pod.key), error=reported)
                await asyncio.sleep(_RETRY)
                continue
            self.tokens[wanted] = answer.token
            self._on_change()
            expires = seconds(answer.expiration_timestamp) or time.time() + wanted.expiration_seconds
            await asyncio.sleep(max(_RETRY, (expires - time.time()) * _RENEW_AFTER))

    async def _request(self, wanted: ServiceAccountTokenProjection) -> _Status:
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
