"""pods/log: reads the log of a container from the kubelet of its node."""

from collections.abc import AsyncGenerator
from urllib.parse import quote

import httpx

from headgate.localapi.registry import status_errors
from headgate.localapi.registry.api import Api
from headgate.localapi.resources.served import Object

from .messages import Request, Response, StreamingResponse

#: Query parameters that are passed to the kubelet.
_PASSED = ("follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes")
_ADDRESSES = ("InternalIP", "Hostname", "ExternalIP")


async def logs(api: Api, request: Request, namespace: str, name: str) -> Response | StreamingResponse:
    """The log of a container, from the kubelet endpoint of its node."""
    pod = api.object(api.registry["pods"], namespace, name)
    container = _container(pod, request.parameter("container"))
    node_name = pod["spec"].get("nodeName")
    if not node_name:
        return Response(b"", content_type="text/plain")
    node = api.object(api.registry["nodes"], "", node_name)
    query = {key: request.parameter(key) for key in _PASSED if key in request.query}
    url = f"{_kubelet(node)}/containerLogs/{quote(namespace)}/{quote(name)}/{quote(container)}"
    # The certificate of a kubelet is self-signed, as on any cluster without a kubelet CA.
    client = httpx.AsyncClient(verify=False, timeout=httpx.Timeout(10.0, read=None), trust_env=False)  # noqa: S501
    try:
        answer = await client.send(client.build_request("GET", url, params=query), stream=True)
    except httpx.HTTPError as error:
        await client.aclose()
        raise status_errors.StatusError(
            500, "InternalError", f'Get "{url}": {error or type(error).__name__}: does the node {node_name!r} run?'
        ) from None
    if answer.status_code != httpx.codes.OK:
        body = (await answer.aread()).decode("utf-8", "replace").strip()
        await client.aclose()
        raise status_errors.StatusError(answer.status_code, _reason(answer.status_code), body)
    return StreamingResponse(_chunks(client, answer), content_type="text/plain")


async def _chunks(client: httpx.AsyncClient, answer: httpx.Response) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()
        await client.aclose()


def _reason(code: int) -> str:
    return {400: "BadRequest", 404: "NotFound"}.get(code, "InternalError")


def _container(pod: Object, wanted: str) -> str:
    """The requested container; without a name, the only one."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    names = [c["name"] for c in spec.get("containers") or ()]
    others = [c["name"] for c in (*(spec.get("initContainers") or ()), *(spec.get("ephemeralContainers") or ()))]
    if wanted:
        if wanted not in names + others:
            raise status_errors.bad_request(
                f"container {wanted} is not valid for pod {name}: it has {', '.join(names + others)}"
            )
        return wanted
    if len(names) != 1:
        raise status_errors.bad_request(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        )
    return str(names[0])


def _kubelet(node: Object) -> str:
    """The URL of a node's kubelet endpoint."""
    status = node.get("status") or {}
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port")
    addresses = {a["type"]: a["address"] for a in status.get("addresses") or ()}
    address = next((addresses[kind] for kind in _ADDRESSES if kind in addresses), None)
    if not port or not address:
        name = node["metadata"]["name"]
        raise status_errors.StatusError(
            500,
            "InternalError",
            f"node {name} has no address or no kubelet port in its status, so its logs are out of reach",
        )
    return f"https://{address}:{port}"
