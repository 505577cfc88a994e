"""The load generator against real servers on loopback."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from headgate.traffic import Load, Plan, Request, RequestResult, Tally, Target
from support.addresses import free_port
from support.insecure_tls import insecure_context

Answer = Callable[[str], Awaitable[bytes | None]]


def answer(body: str = "ok", status: str = "200 OK", *headers: str) -> bytes:
    extra = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n{body}".encode()


@asynccontextmanager
async def serving(respond: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that answers each request head; None closes the connection without an answer."""
    writers: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                said = await respond(head.decode())
                if said is None:
                    break
                writer.write(said)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def fine(head: str) -> bytes:
    return answer(head.split()[1])


async def load(respond: Answer, plan: Plan, *requests: Request) -> Tally:
    tally = Tally(lambda outcome: outcome.body.decode())
    async with serving(respond) as port:
        await Load(Target("127.0.0.1", port), plan, requests or (Request("/a"),)).run(tally.add)
    return tally


async def test_a_load_by_count_sends_exactly_that_many() -> None:
    tally = await load(fine, Plan(rate=2000, requests=300))
    assert (tally.all.sent, tally.all.failed) == (300, 0)


async def test_a_load_by_time_sends_rate_times_seconds() -> None:
    tally = await load(fine, Plan(rate=500, seconds=0.5))
    assert tally.all.sent == 250


async def test_requests_are_sent_in_turn_and_counted_by_group() -> None:
    tally = await load(fine, Plan(rate=2000, requests=100), Request("/a"), Request("/b"))
    assert {name: counts.sent for name, counts in tally.groups.items()} == {"/a": 50, "/b": 50}
    assert tally.share("/a") == 0.5


async def test_connections_are_kept() -> None:
    connections = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer.get_extra_info("peername"))
        with pytest.raises(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer())
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await Load(Target("127.0.0.1", port), Plan(rate=1000, requests=200, connections=4)).run(lambda _: None)
    assert 1 <= len(connections) <= 4


async def test_a_connection_with_connection_close_is_not_used_again() -> None:
    async def closing(_: str) -> bytes:
        return answer("ok", "200 OK", "Connection: close")

    tally = await load(closing, Plan(rate=1000, requests=50))
    assert (tally.all.sent, tally.all.failed) == (50, 0)


async def test_server_errors_are_failures_that_have_an_answer() -> None:
    async def failing(_: str) -> bytes:
        return answer("no", "503 Service Unavailable")

    tally = await load(failing, Plan(rate=1000, requests=20))
    assert tally.all.failed == 20
    assert tally.all.statuses == {503: 20}
    assert not tally.all.failures


async def test_client_errors_are_no_failures_of_the_server() -> None:
    async def missing(_: str) -> bytes:
        return answer("no", "404 Not Found")

    tally = await load(missing, Plan(rate=1000, requests=20))
    assert tally.all.failed == 0


async def test_a_connection_that_breaks_counts_as_reset() -> None:
    async def breaking(_: str) -> None:
        return None

    tally = await load(breaking, Plan(rate=1000, requests=20))
    assert tally.all.failures == {"reset": 20}


async def test_a_refused_connection_counts_as_connect() -> None:
    tally = Tally()
    await Load(Target("127.0.0.1", free_port()), Plan(rate=1000, requests=20)).run(tally.add)
    assert tally.all.failures == {"connect": 20}


async def test_a_request_without_answer_counts_as_timeout() -> None:
    async def silent(_: str) -> bytes:
        await asyncio.sleep(60)
        return b""

    tally = await load(silent, Plan(rate=1000, requests=5, timeout=0.2))
    assert tally.all.failures == {"timeout": 5}


async def test_requests_that_never_got_a_connection_count_as_unsent() -> None:
    async def silent(_: str) -> bytes:
        await asyncio.sleep(60)
        return b""

    tally = await load(silent, Plan(rate=1000, requests=50, connections=1, timeout=0.2))
    assert tally.all.sent == 50
    assert set(tally.all.failures) <= {"timeout", "unsent"}
    assert tally.all.failures["unsent"] > 0


async def test_an_answer_that_is_not_http_counts_as_protocol() -> None:
    async def nonsense(_: str) -> bytes:
        return b"hello\r\n\r\n"

    tally = await load(nonsense, Plan(rate=1000, requests=5))
    assert tally.all.failures == {"protocol": 5}


async def test_waiting_for_a_free_connection_counts_as_latency() -> None:
    outcomes: list[RequestResult] = []

    async def slow(_: str) -> bytes:
        await asyncio.sleep(0.02)
        return answer()

    async with serving(slow) as port:
        plan = Plan(rate=1000, requests=20, connections=1)
        await Load(Target("127.0.0.1", port), plan).run(outcomes.append)
    # The last one was due after 19 ms and 19 others of at least 20 ms each went before it on the only connection.
    assert outcomes[-1].latency > 0.3


async def test_interim_responses_are_skipped() -> None:
    async def interim(_: str) -> bytes:
        return b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer("final")

    assert (await load(interim, Plan(rate=1000, requests=5))).groups["final"].sent == 5


async def test_chunked_responses_are_joined() -> None:
    async def chunked(_: str) -> bytes:
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"

    assert (await load(chunked, Plan(rate=1000, requests=5))).groups["hello"].sent == 5


async def test_the_host_header_is_the_host_of_the_target() -> None:
    heads: list[str] = []

    async def listening(head: str) -> bytes:
        heads.append(head)
        return answer()

    async with serving(listening) as port:
        target = Target("127.0.0.1", port, host="shop.example.com")
        await Load(target, Plan(rate=100, requests=1), [Request(headers={"x-canary": "true"})]).run(lambda _: None)
    assert "Host: shop.example.com\r\n" in heads[0]
    assert "x-canary: true\r\n" in heads[0]


def self_signed(folder: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_tls_sends_the_host_as_server_name(tmp_path: Path) -> None:
    names: list[str | None] = []
    context = self_signed(tmp_path, "shop.example.com")
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    tally = Tally()
    async with serving(fine, context) as port:
        target = Target("127.0.0.1", port, host="shop.example.com", tls=insecure_context())
        await Load(target, Plan(rate=100, requests=3)).run(tally.add)
    assert tally.all.failed == 0
    assert set(names) == {"shop.example.com"}


async def test_a_certificate_that_is_not_trusted_counts_as_connect(tmp_path: Path) -> None:
    tally = Tally()
    async with serving(fine, self_signed(tmp_path, "shop.example.com")) as port:
        target = Target("127.0.0.1", port, host="shop.example.com", tls=ssl.create_default_context())
        await Load(target, Plan(rate=100, requests=2)).run(tally.add)
    assert tally.all.failures == {"connect": 2}


async def test_stop_ends_a_load_without_limit() -> None:
    tally = Tally()
    async with serving(fine) as port:
        load = Load(Target("127.0.0.1", port), Plan(rate=1000))

        def each(outcome: RequestResult) -> None:
            tally.add(outcome)
            if tally.all.sent == 50:
                load.stop()

        await load.run(each)
    assert tally.all.failed == 0


async def test_a_cancelled_load_reports_nothing_afterwards() -> None:
    async def silent(_: str) -> bytes:
        await asyncio.sleep(60)
        return b""

    tally = Tally()
    connected = asyncio.Event()

    async def noticing(head: str) -> bytes:
        connected.set()
        return await silent(head)

    async with serving(noticing) as port:
        task = asyncio.create_task(Load(Target("127.0.0.1", port), Plan(rate=10, requests=1)).run(tally.add))
        await connected.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        before = tally.all.sent
        await asyncio.sleep(0)
    assert tally.all.sent - before == 0


@pytest.mark.parametrize("plan", [{"rate": 0.0}, {"rate": 1.0, "connections": 0}, {"rate": 1.0, "timeout": 0.0}])
def test_a_plan_that_would_never_send_is_rejected(plan: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Plan(**plan)  # type: ignore[arg-type]


def test_an_ipv6_address_is_in_brackets_in_the_host_header() -> None:
    assert Target("::1", 8080).authority == "[::1]:8080"
