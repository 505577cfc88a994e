"""Pods as processes, through a local API: what a user sees of them."""

from __future__ import annotations

import base64
import ipaddress
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.local_node import Api, LocalNode, Plain, pod, python
from support.waiting import until

SLEEP = "import time; time.sleep(600)"


def status(api: Api, name: str) -> Plain:
    pod_status: Plain = api.get("Pod", name).get("status", {})
    return pod_status


def container(api: Api, name: str, place: int = 0) -> Plain:
    container_status: Plain = status(api, name)["containerStatuses"][place]
    return container_status


def condition(api: Api, name: str, type_: str = "Ready") -> str:
    return next((c["status"] for c in status(api, name).get("conditions", ()) if c["type"] == type_), "")


def wait_ready(api: Api, name: str) -> Plain:
    until(lambda: condition(api, name) == "True", what=f"{name} is ready", deadline=15)
    return status(api, name)


def wait_state(api: Api, name: str, state: str, place: int = 0) -> Plain:
    """Until the container is in a state; that state."""
    path = "containerStatuses"
    until(
        lambda: state in status(api, name)[path][place].get("state", {}),
        what=f"{name} is {state}",
        tolerate=(OSError, LookupError),
    )
    details: Plain = container(api, name, place)["state"][state]
    return details


def wait_log(api: Api, name: str, text: str, **parameters: Any) -> str:
    def log() -> str:
        log = api.logs(name, **parameters)
        return log if text in log else ""

    return until(log, what=f"{text!r} in the log")


def gone(api: Api, name: str) -> None:
    until(lambda: api.find("Pod", name) is None, what=f"{name} is gone")


def test_a_pod_gets_an_address_of_the_pod_network(api: Api, node: LocalNode) -> None:
    api.create(pod("one"))
    address = wait_ready(api, "one")["podIP"]
    assert ipaddress.IPv4Address(address) in node.pods


def test_the_built_in_echo_answers_at_its_pods_address(api: Api) -> None:
    api.create(pod("one", image="registry.example:5000/team/headgate-echo:2.5"))
    address = wait_ready(api, "one")["podIP"]
    until(lambda: httpx.get(f"http://{address}:8080/x").json()["version"] == "2.5", tolerate=(httpx.HTTPError,))


def test_two_pods_never_share_an_address(api: Api) -> None:
    api.create(pod("one"), pod("two"))
    assert wait_ready(api, "one")["podIP"] != wait_ready(api, "two")["podIP"]


def test_a_pod_without_a_node_is_bound_to_this_one(api: Api) -> None:
    api.create(pod("one"))
    until(lambda: api.get("Pod", "one")["spec"].get("nodeName") == "laptop")


def test_a_container_learns_about_its_pod_from_field_refs(api: Api) -> None:
    fields = {
        "A": "metadata.name",
        "B": "metadata.namespace",
        "C": "metadata.labels['app']",
        "D": "status.podIP",
        "E": "spec.nodeName",
        "F": "spec.serviceAccountName",
    }
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    program = "import os; print(*(os.environ[n] for n in 'ABCDEF'))"
    api.create(pod("one", **python(program, env=env), spec={"restartPolicy": "Never"}))
    log = wait_log(api, "one", "laptop")
    assert log.split() == ["one", api.namespace, "one", status(api, "one")["podIP"], "laptop", "default"]


def test_variables_refer_to_earlier_ones_in_values_and_arguments(api: Api) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2 $$(A) $(NONE)"}]
    program = "import os, sys; print(os.environ['B'], '|', sys.argv[1])"
    body = pod("one", image="python", args=["-c", program, "$(B)!"], env=env, spec={"restartPolicy": "Never"})
    api.create(body)
    assert wait_log(api, "one", "|").strip() == "12 $(A) $(NONE) | 12 $(A) $(NONE)!"


def test_values_come_from_config_maps_and_secrets(api: Api) -> None:
    api.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "from-map", "X": "x"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "from-secret"}},
    )
    env = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    program = "import os; print(os.environ['A'], os.environ['B'], os.environ['P_X'])"
    fields = python(program, env=env, envFrom=[{"prefix": "P_", "configMapRef": {"name": "c"}}])
    api.create(pod("one", **fields, spec={"restartPolicy": "Never"}))
    assert wait_log(api, "one", "from").split() == ["from-map", "from-secret", "x"]


def test_a_missing_config_map_is_waited_for(api: Api) -> None:
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "k"}}}]
    api.create(pod("one", env=env))
    waiting = wait_state(api, "one", "waiting")
    until(lambda: container(api, "one")["state"]["waiting"]["reason"] == "CreateContainerConfigError")
    assert 'configmap "late" not found' in container(api, "one")["state"]["waiting"]["message"], waiting
    api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}, "data": {"k": "v"}})
    wait_ready(api, "one")


MOUNT: Plain = {"volumeMounts": [{"name": "v", "mountPath": "/etc/thing"}]}


def test_a_pod_that_waits_for_a_volume_can_be_deleted(api: Api) -> None:
    body = pod("one", **MOUNT, spec={"volumes": [{"name": "v", "secret": {"secretName": "never"}}]})
    api.create(body)
    until(lambda: any("FailedMount" in event for event in api.events("one")), what="it waits")
    api.delete("Pod", "one")
    until(lambda: api.find("Pod", "one") is None, what="it is gone")


def test_a_mount_path_in_an_argument_is_the_folder_of_the_volume(api: Api) -> None:
    api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"file": "hello"}})
    program = "import json, sys; print(open(json.loads(sys.argv[1])['path']).read())"
    body = pod("one", image="python", args=["-c", program, '{"path": "/etc/thing/file"}'], **MOUNT)
    body["spec"] |= {"volumes": [{"name": "v", "configMap": {"name": "c"}}], "restartPolicy": "Never"}
    api.create(body)
    assert wait_log(api, "one", "h").strip() == "hello"


def test_a_mount_path_in_a_variable_is_the_folder_of_the_volume(api: Api) -> None:
    program = "import os, pathlib; print(pathlib.Path(os.environ['WHERE']).is_dir())"
    fields = python(program, env=[{"name": "WHERE", "value": "/etc/thing"}])
    body = pod("one", **fields, **MOUNT, spec={"restartPolicy": "Never", "volumes": [{"name": "v", "emptyDir": {}}]})
    api.create(body)
    assert wait_log(api, "one", "e").strip() == "True"


def test_an_update_of_a_secret_reaches_the_folder(api: Api) -> None:
    api.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"file": "old"}})
    program = "import sys, time\nwhile True:\n    print(open(sys.argv[1]).read(), flush=True)\n    time.sleep(0.05)\n"
    body = pod("one", image="python", args=["-c", program, "/etc/thing/file"], **MOUNT)
    body["spec"]["volumes"] = [{"name": "v", "secret": {"secretName": "s"}}]
    api.create(body)
    wait_log(api, "one", "old")
    api.patch("Secret", "s", {"data": {"file": base64.b64encode(b"new").decode()}})
    wait_log(api, "one", "new", tailLines=1)


def test_secrets_on_disk_are_for_their_owner_only(api: Api, node: LocalNode) -> None:
    api.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"file": "x"}})
    body = pod("one", **MOUNT, spec={"volumes": [{"name": "v", "secret": {"secretName": "s"}}]})
    api.create(body)
    wait_ready(api, "one")
    files = [path for path in (node.data / "pods").rglob("file") if not path.is_symlink()]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    assert {oct(path.parent.stat().st_mode & 0o777) for path in files} == {"0o700"}


def test_a_readiness_probe_decides_readiness(api: Api) -> None:
    probe = {"httpGet": {"path": "/healthz", "port": 9999}, "periodSeconds": 1}
    api.create(pod("one", readinessProbe=probe))
    wait_state(api, "one", "running")
    assert condition(api, "one") == "False"
    assert condition(api, "one", "ContainersReady") == "False"


def test_a_readiness_probe_that_passes_makes_the_pod_ready(api: Api) -> None:
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
    api.create(pod("one", readinessProbe=probe, ports=[{"name": "http", "containerPort": 8080}]))
    wait_ready(api, "one")


def test_a_liveness_probe_that_fails_restarts_the_container(api: Api) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    api.create(pod("one", livenessProbe=probe, env=[{"name": "GRACE", "value": "0s"}]))
    until(lambda: container(api, "one")["restartCount"] >= 1, tolerate=(OSError, KeyError))


def test_a_startup_probe_holds_the_others_back(api: Api) -> None:
    probe = {"tcpSocket": {"port": 9999}, "periodSeconds": 1, "failureThreshold": 60}
    api.create(pod("one", startupProbe=probe, livenessProbe={"exec": {"command": ["false"]}, "failureThreshold": 1}))
    wait_state(api, "one", "running")
    assert container(api, "one")["started"] is False


def test_a_container_that_crashes_is_started_again(api: Api) -> None:
    api.create(pod("one", **python("raise SystemExit(3)")))
    until(lambda: container(api, "one")["restartCount"] == 1, tolerate=(OSError, KeyError))
    assert container(api, "one")["lastState"]["terminated"]["exitCode"] == 3


def test_one_that_crashes_again_waits_in_crash_loop_back_off(api: Api) -> None:
    api.create(pod("one", **python("raise SystemExit(3)")))
    until(
        lambda: container(api, "one")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff",
        tolerate=(OSError, KeyError),
    )
    assert "back-off 10s restarting failed container=app" in container(api, "one")["state"]["waiting"]["message"]


def test_the_log_of_the_run_before_is_kept(api: Api) -> None:
    api.create(pod("one", **python("print('dying'); raise SystemExit(3)")))
    until(lambda: container(api, "one")["restartCount"] == 1, tolerate=(OSError, KeyError))
    assert api.logs("one", previous="true") == "dying\n"


def test_a_pod_that_is_not_to_be_restarted_succeeds(api: Api) -> None:
    api.create(pod("one", **python("pass"), spec={"restartPolicy": "Never"}))
    until(lambda: status(api, "one").get("phase") == "Succeeded")


def test_a_pod_that_is_not_to_be_restarted_fails(api: Api) -> None:
    api.create(pod("one", **python("raise SystemExit(1)"), spec={"restartPolicy": "Never"}))
    until(lambda: status(api, "one").get("phase") == "Failed")


def test_init_containers_run_before_the_others(api: Api) -> None:
    init = [{"name": "first", **python("open('/shared/f', 'w').write('made')"), "volumeMounts": []}]
    mounts = [{"name": "v", "mountPath": "/shared"}]
    init[0]["volumeMounts"] = mounts
    fields = python("print(open('/shared/f').read())", volumeMounts=mounts)
    spec = {"restartPolicy": "Never", "volumes": [{"name": "v", "emptyDir": {}}], "initContainers": init}
    api.create(pod("one", **fields, spec=spec))
    assert wait_log(api, "one", "m").strip() == "made"


def test_a_pod_with_two_containers_is_ready_when_both_are(api: Api) -> None:
    body = pod("one")
    probe = {"tcpSocket": {"port": 9999}, "periodSeconds": 1}
    body["spec"]["containers"].append({"name": "other", **python(SLEEP), "readinessProbe": probe})
    api.create(body)
    wait_state(api, "one", "running", 1)
    until(lambda: container(api, "one", 0)["ready"])
    assert condition(api, "one") == "False"


def test_an_unknown_image_is_explained(api: Api) -> None:
    api.create(pod("one", image="docker.io/library/nginx:1.29"))
    until(
        lambda: container(api, "one")["state"].get("waiting", {}).get("reason") == "ErrImagePull",
        tolerate=(OSError, KeyError),
    )
    assert "--image nginx=COMMAND" in container(api, "one")["state"]["waiting"]["message"]


def test_a_deleted_pod_gets_sigterm_and_ends_in_its_own_time(api: Api) -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('told', flush=True), time.sleep(0.5), sys.exit(0)))\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    api.create(pod("one", **python(program)))
    wait_log(api, "one", "up")
    api.delete("Pod", "one")
    wait_log(api, "one", "told")
    gone(api, "one")


def test_a_pod_that_ignores_sigterm_is_killed_after_its_grace(api: Api) -> None:
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    api.create(pod("one", **python(program), spec={"terminationGracePeriodSeconds": 1}))
    wait_log(api, "one", "up")
    api.delete("Pod", "one")
    gone(api, "one")


def test_a_pre_stop_hook_runs_before_sigterm(api: Api) -> None:
    program = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    print('hook ran' if pathlib.Path(sys.argv[1] + '/hook').exists() else 'no hook', flush=True)\n"
        "    time.sleep(1)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    hook = {"preStop": {"exec": {"command": ["touch", "/shared/hook"]}}}
    mounts = [{"name": "v", "mountPath": "/shared"}]
    body = pod("one", image="python", args=["-c", program, "/shared"], lifecycle=hook, volumeMounts=mounts)
    body["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    api.create(body)
    wait_log(api, "one", "up")
    api.delete("Pod", "one")
    assert "hook ran" in wait_log(api, "one", "hook")
    gone(api, "one")


def test_what_a_container_started_ends_with_it(api: Api) -> None:
    program = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('child', child.pid, flush=True)\n"
        "raise SystemExit(0)\n"
    )
    api.create(pod("one", **python(program), spec={"restartPolicy": "Never"}))
    child = int(wait_log(api, "one", "child").split()[1])
    until(lambda: not _runs(child), what="the child ended")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_logs_are_shown_since_a_moment(api: Api) -> None:
    program = "import time; print('old'); time.sleep(60)"
    api.create(pod("one", **python(program), spec={"restartPolicy": "Never"}))
    wait_log(api, "one", "old")
    until(lambda: "old" not in api.logs("one", sinceSeconds=1), what="the line is older than a second")
    assert "old" in api.logs("one", sinceSeconds=3600)


def test_logs_can_be_followed(api: Api) -> None:
    api.create(
        pod(
            "one",
            **python("import time\nfor i in range(3): print(i, flush=True); time.sleep(0.1)"),
            spec={"restartPolicy": "Never"},
        )
    )
    wait_log(api, "one", "0")
    assert api.logs("one", follow="true") == "0\n1\n2\n"


@pytest.mark.parametrize(("lines", "expected"), [(0, ""), (1, "c\n"), (2, "b\nc\n"), (9, "a\nb\nc\n")])
def test_the_last_lines_of_a_log(api: Api, lines: int, expected: str) -> None:
    api.create(pod("one", **python("print('a\\nb\\nc')"), spec={"restartPolicy": "Never"}))
    wait_log(api, "one", "c")
    assert api.logs("one", tailLines=lines) == expected


def test_the_start_of_a_container_is_an_event(api: Api) -> None:
    api.create(pod("one"))
    wait_ready(api, "one")
    until(lambda: "Started: Started container app" in api.events("one"))


def test_the_variables_of_the_node_do_not_reach_a_pod(api: Api) -> None:
    api.create(pod("one", **python("import os; print(sorted(os.environ))"), spec={"restartPolicy": "Never"}))
    assert "KUBECONFIG" not in wait_log(api, "one", "PATH")
