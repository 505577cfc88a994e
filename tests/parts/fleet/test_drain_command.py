"""The preStop command of an Envoy's pod, checked by the interpreter that runs it."""

import subprocess

from headgate.api.meta import Key
from headgate.fleet import Envoys, Settings, objects


def test_the_drain_command_is_perl_that_compiles() -> None:
    envoys = Envoys(
        gateway=Key("infra", "shared"),
        uid="1234",
        api_version="gateway.networking.k8s.io/v1",
        class_name="envoy",
        controller="headgate.dev/gateway-controller",
        ports=(("TCP", 80),),
    )
    deployment = objects(envoys, Settings(xds_address="headgate.headgate-system.svc:18000"), {}).deployment
    lifecycle = deployment.spec.template.spec.containers[0].lifecycle
    assert lifecycle
    assert lifecycle.pre_stop
    assert lifecycle.pre_stop.exec
    program, *arguments = lifecycle.pre_stop.exec.command
    checked = subprocess.run([program, "-c", *arguments], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
