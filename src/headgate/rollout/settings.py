"""The settings of the rollout controller, with the names and defaults of Flagger's flags."""

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """Flags of the rollout controller."""

    #: The provider of Canaries that name none.
    mesh_provider: str = "gatewayapi:v1"
    #: Prometheus for the built-in metrics of Canaries that name none. Empty: the statistics of our own Envoys.
    metrics_server: str = ""
    #: The first of these that a Deployment's selector has is the label that tells primary and canary apart.
    selector_labels: tuple[str, ...] = ("app", "name", "app.kubernetes.io/name")
    #: Labels with one of these prefixes are copied from the target to the primary; `*` means all.
    include_label_prefix: tuple[str, ...] = ()
    #: Whether ConfigMaps and Secrets are tracked and copied.
    config_tracking: bool = True
    #: Refuse MetricTemplates and AlertProviders of other namespaces.
    no_cross_namespace_refs: bool = False


def label_kept(key: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a label (or annotation) is copied under `include_label_prefix`; Flux's own never are."""
    if "toolkit.fluxcd.io" in key:
        return False
    return any(prefix == "*" or (prefix and key.startswith(prefix)) for prefix in prefixes)
