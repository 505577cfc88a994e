"""Sends alerts about a release to the providers in `spec.analysis.alerts`."""

from collections.abc import Iterator

from headgate.api.core import Secret
from headgate.api.delivery import AlertProvider, CanaryAlert
from headgate.api.meta import Key

from . import alerts
from .alerts import Alert, Receiver, Severity
from .effects import Effect, Notify, warning
from .registry import known
from .release import Release
from .snapshot import decoded, plaintext


def alert(release: Release, severity: Severity, message: str, *, details: bool = False) -> tuple[Effect, ...]:
    """The notifications of an alert; an event for each provider that cannot be used.

    Args:
        details: whether the alert has the target and the settings of the analysis.
    """
    content = Alert(release.name, severity, message, tuple(_details(release)) if details else ())
    return tuple(
        _notification(release, entry, content)
        for entry in release.canary.spec.analysis.alerts
        if alerts.is_wanted(entry.severity, content)
    )


def _details(release: Release) -> Iterator[tuple[str, str]]:
    yield "Target", f"{release.kind}/{release.target_name}"
    yield "Failed checks threshold", str(release.threshold)
    yield "Progress deadline", f"{release.deadline:g}s"
    yield "Traffic routing", release.strategy.summary(release.canary)


def _notification(release: Release, entry: CanaryAlert, content: Alert) -> Effect:
    key = Key(entry.provider_ref.namespace or release.names.namespace, entry.provider_ref.name)
    try:
        provider: AlertProvider | None = decoded(release.snapshot.objects, AlertProvider, key)
        if provider is None:
            raise ValueError(f'alertproviders.flagger.app "{key.name}" not found')
        if provider.spec.type not in alerts.KNOWN:
            supported = known(alerts.KNOWN)
            raise ValueError(f"spec.type {provider.spec.type} is not supported; supported: {supported}")
        request = alerts.KNOWN[provider.spec.type].request(content, _receiver(release, provider, key))
    except ValueError as error:
        return warning(f"alert provider {key.name}.{key.namespace} error: {error}")
    return Notify(f"alert {entry.name}", request)


def _receiver(release: Release, provider: AlertProvider, key: Key) -> Receiver:
    """Where the alert goes. Raises `ValueError` if there is no address."""
    spec, data = provider.spec, dict[str, str]()
    if spec.secret_ref:
        secret: Secret | None = decoded(release.snapshot.objects, Secret, Key(key.namespace, spec.secret_ref.name))
        if secret is None:
            raise ValueError(f'secrets "{spec.secret_ref.name}" not found')
        data = plaintext(secret)
    address = (data.get("address") or spec.address or "").strip()
    if not address.startswith(("http://", "https://")):
        raise ValueError("spec.address, or the key address of the Secret, must be a URL")
    return Receiver(
        address,
        token=data.get("token", "").strip(),
        channel=spec.channel or "general",
        username=spec.username or "flagger",
        proxy=spec.proxy or "",
    )
