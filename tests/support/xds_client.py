"""Whoever asks an xDS server for what may not be theirs: a stream with a certificate, asking for everything."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from queue import SimpleQueue

import grpc
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from headgate import pki
from headgate.envoy import names
from headgate.envoy.discovery import METHOD, SERVICE

TYPES = (names.CLUSTER, names.ENDPOINTS, names.LISTENER, names.ROUTES, names.SECRET, names.RUNTIME)

#: Seconds in which a server that had something to say would have said it.
WHILE = 2.0


def ask(server: str, certified: pki.IssuedCertificate, wanted: Sequence[str], *, node_id: str) -> str:
    """Everything that a stream with this certificate gets in a while, asking for all there is and for these by name."""
    credentials = grpc.ssl_channel_credentials(certified.ca_certificates, certified.key, certified.certificate)
    options = (("grpc.ssl_target_name_override", names.XDS_SERVER),)
    questions: SimpleQueue[bytes | None] = SimpleQueue()
    for kind in TYPES:
        request = DeltaDiscoveryRequest(type_url=kind, resource_names_subscribe=["*", "http", *wanted])
        request.node.id = node_id
        questions.put(request.SerializeToString())
    heard = []
    with grpc.secure_channel(server, credentials, options) as channel:
        stream = channel.stream_stream(f"/{SERVICE}/{METHOD}")(iter(questions.get, None), timeout=WHILE)
        with contextlib.suppress(grpc.RpcError):
            for body in stream:
                answer = DeltaDiscoveryResponse.FromString(body)
                heard.append(str(answer.resources))
                taken = DeltaDiscoveryRequest(type_url=answer.type_url, response_nonce=answer.nonce)
                questions.put(taken.SerializeToString())
    questions.put(None)
    return "\n".join(heard)
