"""The bytes of a private key are in the secret resource and nowhere else."""

from __future__ import annotations

import base64

from golden import cases as golden
from headgate.envoy.names import SECRET


def test_no_value_but_the_secret_resource_has_or_prints_the_key() -> None:
    made = golden.running(golden.read(golden.FOLDER / "serve" / "https.in.yaml"))
    keys = [value.data["tls.key"] for _, value in made.world.secrets.items() if value.metadata.name != "broken-tls"]
    parts = [base64.b64decode(key)[40:80] for key in keys]
    shown = []
    for collection in made.engine:
        for key, value in collection.items():
            shown.append(repr(key) + repr(value))
            if getattr(value, "type_url", "") != SECRET:
                body = getattr(value, "body", b"")
                assert not any(part in body for part in parts)
    everything = "\n".join(shown)
    assert "shop/example-tls" in everything
    assert not any(part.decode(errors="replace") in everything for part in parts)
    assert not any(key[60:100] in everything for key in keys)


def test_a_renewed_certificate_changes_its_secret_and_no_route() -> None:
    made = golden.running(golden.read(golden.FOLDER / "serve" / "https.in.yaml"))
    changed = {name: made.engine.collect(getattr(made.outputs, name)) for name in ("resources", "hosts", "weights")}
    for collector in changed.values():
        collector.take()
    made.put(golden.secret("shop/example-tls", ("renewed.example.com",)))
    made.run()
    assert [key[1:] for key in changed["resources"].take().set] == [(SECRET, "shop/example-tls")]
    assert not changed["hosts"].take()
    assert not changed["weights"].take()
