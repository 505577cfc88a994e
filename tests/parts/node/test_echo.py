"""The program `headgate-echo`, as a process."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from headgate.node.images.echo import Histogram, duration, share
from support.addresses import accepts, free_port
from support.processes import Program
from support.waiting import until

COMMAND = (sys.executable, "-m", "headgate.node.images.echo")


class Running:
    """A running echo."""

    def __init__(self, program: Program, port: int) -> None:
        self.program = program
        self.port = port
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)


@contextmanager
def echo(folder: Path, **environment: str) -> Iterator[Running]:
    port = free_port()
    about = {"POD_NAME": "shop-1", "POD_NAMESPACE": "shop", "POD_OWNER": "shop", "VERSION": "1.0"}
    with Program(
        COMMAND, log=folder / "echo.log", env={**about, "PORT": str(port), **environment}, grace=0.2
    ) as program:
        until(lambda: accepts("127.0.0.1", port), what="echo listens", running=program)
        yield Running(program, port)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with echo(tmp_path_factory.mktemp("echo"), GRACE="0s") as server:
        yield server


def raw(port: int, sent: bytes) -> bytes:
    """Everything that comes back until the other end hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(sent)
        received = b""
        while more := connection.recv(65536):
            received += more
        return received


def test_any_path_is_answered_with_who_answered(running: Running) -> None:
    answer = running.http.put("/any/path?x=1", headers={"X-Thing": "a"}).json()
    headers = answer.pop("headers")
    assert answer == {"pod": "shop-1", "namespace": "shop", "version": "1.0", "method": "PUT", "path": "/any/path?x=1"}
    assert headers["x-thing"] == "a"


def test_version_is_one_line_with_owner_and_version(running: Running) -> None:
    assert running.http.get("/version").text == "shop 1.0\n"


def test_a_header_that_comes_twice_is_joined(running: Running) -> None:
    answer = running.http.get("/", headers=[("a", "1"), ("a", "2")]).json()
    assert answer["headers"]["a"] == "1, 2"


def test_a_head_request_has_no_body(running: Running) -> None:
    answer = running.http.head("/x")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_chunked_body_is_read_and_the_connection_kept(running: Running) -> None:
    first = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    second = b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert raw(running.port, first + second).count(b"HTTP/1.1 200 OK") == 2


def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(5))
    answer = raw(running.port, requests + b"GET /5 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert [answer.index(b'"/%d"' % number) for number in range(6)] == sorted(
        answer.index(b'"/%d"' % number) for number in range(6)
    )


def test_a_client_that_expects_100_gets_it(running: Running) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n"
    assert raw(running.port, head + b"x").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


def test_what_is_no_http_is_refused(running: Running) -> None:
    assert raw(running.port, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request")


def test_an_http_1_0_connection_is_closed(running: Running) -> None:
    assert b"connection: close" in raw(running.port, b"GET /version HTTP/1.0\r\n\r\n")


def test_health_is_always_well(tmp_path: Path) -> None:
    with echo(tmp_path, ERROR_RATE="1", GRACE="0s") as failing:
        assert failing.http.get("/healthz").text == "ok\n"


def test_an_error_rate_of_one_fails_every_request(tmp_path: Path) -> None:
    with echo(tmp_path, ERROR_RATE="1", GRACE="0s") as failing:
        assert {failing.http.get(path).status_code for path in ("/", "/version", "/x")} == {500}


def test_metrics_count_requests_by_method_and_status_but_not_probes(tmp_path: Path) -> None:
    with echo(tmp_path, GRACE="0s") as counted:
        for path in ("/a", "/b", "/healthz", "/metrics"):
            counted.http.get(path)
        lines = counted.http.get("/metrics").text.splitlines()
    assert 'http_request_duration_seconds_count{method="GET",status="200"} 2' in lines
    assert 'http_request_duration_seconds_bucket{method="GET",status="200",le="+Inf"} 2' in lines


def test_latency_delays_answers_and_is_measured(tmp_path: Path) -> None:
    with echo(tmp_path, LATENCY="60ms", GRACE="0s") as slow:
        slow.http.get("/a")
        lines = slow.http.get("/metrics").text.splitlines()
    assert 'http_request_duration_seconds_bucket{method="GET",status="200",le="0.05"} 0' in lines


def test_after_sigterm_it_serves_on_and_asks_to_close(tmp_path: Path) -> None:
    with echo(tmp_path, GRACE="30s") as ending:
        ending.http.get("/")
        ending.program.send(signal.SIGTERM)
        until(lambda: ending.http.get("/").headers.get("connection") == "close", what="connection: close")
        assert ending.http.get("/version").status_code == 200


def test_it_ends_well_after_its_grace(tmp_path: Path) -> None:
    with echo(tmp_path, GRACE="0.1s") as ending:
        ending.program.send(signal.SIGTERM)
        assert ending.program.wait(10) == 0


def test_a_request_that_runs_when_the_grace_is_over_gets_its_answer(tmp_path: Path) -> None:
    with (
        echo(tmp_path, GRACE="0s", LATENCY="500ms") as ending,
        socket.create_connection(("127.0.0.1", ending.port), timeout=5) as connection,
    ):
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        ending.http.get("/healthz")  # asked later, answered at once: the first request has been read by then
        ending.program.send(signal.SIGTERM)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_a_bad_setting_ends_it_with_one_sentence(tmp_path: Path) -> None:
    with Program(COMMAND, log=tmp_path / "echo.log", env={"ERROR_RATE": "50%"}) as program:
        assert program.wait(10) == 1
        assert "headgate-echo: ERROR_RATE: '50%' is not a share from 0 to 1" in program.output()


def test_a_port_that_is_taken_ends_it_with_one_sentence(running: Running, tmp_path: Path) -> None:
    with Program(COMMAND, log=tmp_path / "echo.log", env={"PORT": str(running.port)}) as program:
        assert program.wait(10) == 1
        assert f"headgate-echo: 127.0.0.1:{running.port}:" in program.output()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", 0), ("0", 0), ("250ms", 0.25), ("1.5s", 1.5), ("1m30s", 90), ("1h", 3600), ("100us", 0.0001), (".5s", 0.5)],
)
def test_durations_are_those_of_go(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["5", "x", "1s2", "-1s", "1 s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match="not a share"):
        share("1.5")


def test_buckets_of_the_histogram_are_cumulative() -> None:
    histogram = Histogram()
    for value in (0.001, 0.02, 20.0):
        histogram.observe("GET", 200, value)
    counts = [int(line.rpartition(" ")[2]) for line in histogram.text().splitlines() if "_bucket" in line]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (1, 3)
