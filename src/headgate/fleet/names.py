"""Names and labels of the objects of a Gateway (GEP-1762).

A Gateway's name may have 253 characters and dots; a Service's may have 63, no dots and must begin with a letter.
"""

import hashlib
import re

from headgate.api.meta import Key

#: Longest name of a Service and longest value of a label.
LIMIT = 63
#: The label of every object that is made for a Gateway (GEP-1762).
GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"
CLASS_LABEL = "gateway.networking.k8s.io/gateway-class-name"
#: The annotation that names the controller of an object; other controllers in the cluster leave the object alone.
CONTROLLER_ANNOTATION = "headgate.dev/controller-name"

_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def resource_name(gateway: Key, class_name: str) -> str:
    """`<gateway>-<class>`; where that is no DNS label, one is made of it, with a hash at the end.

    >>> resource_name(Key("infra", "shared"), "envoy")
    'shared-envoy'
    """
    wanted = f"{gateway.name}-{class_name}"
    if len(wanted) <= LIMIT and _LABEL.fullmatch(wanted):
        return wanted
    plain = re.sub(r"[^-a-z0-9]", "-", wanted)
    if not plain[0].isalpha():
        plain = f"gw-{plain}"
    return f"{plain[: LIMIT - 9].rstrip('-')}-{_digest(wanted)}"


def label_value(text: str) -> str:
    """A name as the value of a label: above 63 characters it is cut, with a hash at the end."""
    return text if len(text) <= LIMIT else f"{text[: LIMIT - 9].rstrip('-.')}-{_digest(text)}"
