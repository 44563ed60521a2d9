"""Where metrics are read: what is answered there, to whom, and what a stop leaves."""

import asyncio
import json
import logging
import socket
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text
from tests.live import LOOPS, Answer, Wire, answers

from portico.server.listeners import ListenError
from portico.server.metrics.board import Board
from portico.server.metrics.census import Census
from portico.server.metrics.endpoint import MetricsEndpoint, OwnMetrics, where
from portico.server.metrics.exposition import OPENMETRICS, TEXT

GET = "GET /metrics HTTP/1.1\r\nHost: a\r\n"


def census() -> Census:
    census = Census(Board.create())
    census.enter(1)
    return census


def told(request: str, method: str = "GET", on: str = "asyncio") -> Answer:
    """Return what an endpoint answers."""

    def ask(port: int) -> bytes:
        with Wire(port) as wire:
            wire.send(f"{request}Connection: close\r\n\r\n".encode())
            return wire.rest()

    async def serve() -> bytes:
        async with MetricsEndpoint("127.0.0.1:0", census()) as endpoint:
            return await asyncio.to_thread(ask, int(endpoint.addresses[0].rpartition(":")[2]))

    with asyncio.Runner(loop_factory=LOOPS[on]) as runner:
        (answer,) = answers(runner.run(serve()), method)
    return answer


@pytest.mark.parametrize("loop", LOOPS)
def test_prometheus_is_answered(loop: str) -> None:
    answer = told(GET, on=loop)
    assert (answer.status, answer.field(b"content-type")) == (200, TEXT.encode())
    assert "portico_workers" in {family.name for family in read_text(answer.body.decode())}


def test_openmetrics_is_answered_to_whom_asks_for_it() -> None:
    answer = told(GET + "Accept: application/openmetrics-text\r\n")
    assert answer.field(b"content-type") == OPENMETRICS.encode()
    assert answer.body.endswith(b"# EOF\n")


def test_answers_are_not_kept_by_caches() -> None:
    answer = told(GET)
    assert (answer.field(b"cache-control"), answer.field(b"vary")) == (b"no-store", b"accept")


def test_the_workers_are_answered_in_json() -> None:
    answer = told(GET.replace("/metrics", "/workers"))
    assert answer.field(b"content-type") == b"application/json"
    assert [worker["number"] for worker in json.loads(answer.body)["workers"]] == [1]


def test_head_is_answered_without_a_body() -> None:
    answer = told(GET.replace("GET", "HEAD"), "HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_nothing_but_get_is_allowed() -> None:
    answer = told(GET.replace("GET", "DELETE"), "DELETE")
    assert (answer.status, answer.field(b"allow")) == (405, b"GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../metrics", "/workers/1"])
def test_there_is_nothing_else(path: str) -> None:
    assert told(GET.replace("/metrics", path)).status == 404


def test_nothing_is_logged_of_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        told(GET)
    assert caplog.records == []


def test_an_address_that_is_taken_is_an_error_that_names_it() -> None:
    async def start(port: int) -> None:
        await MetricsEndpoint(f"127.0.0.1:{port}", census()).start()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"^metrics: cannot listen on 127.0.0.1:{port}: .*already in use"):
            asyncio.run(start(port))


@pytest.mark.parametrize(
    ("address", "shown"),
    [("http://127.0.0.1:9100", "http://127.0.0.1:9100/metrics"), ("unix:/run/app/m.sock", "unix:/run/app/m.sock")],
)
def test_the_log_names_what_can_be_asked(address: str, shown: str) -> None:
    assert where(address) == shown


def test_a_connection_that_is_kept_open_does_not_hold_up_the_stop() -> None:
    async def serve() -> bytes:
        endpoint = MetricsEndpoint("127.0.0.1:0", census())
        await endpoint.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(endpoint.addresses[0].rpartition(":")[2]))
        writer.write(f"{GET}\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        await endpoint.stop()
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def bounded() -> None:
        async with asyncio.timeout(10):
            await serve()

    asyncio.run(bounded())


def test_it_can_be_stopped_twice_and_before_it_was_started() -> None:
    async def serve() -> None:
        endpoint = MetricsEndpoint("127.0.0.1:0", census())
        await endpoint.stop()
        await endpoint.start()
        await endpoint.stop()
        await endpoint.stop()

    asyncio.run(serve())


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets")
def test_the_file_of_a_unix_socket_is_there_while_it_serves(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"

    async def serve() -> bytes:
        async with MetricsEndpoint(f"unix:{path}", census()):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(f"{GET}Connection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(serve()).startswith(b"HTTP/1.1 200 ")
    assert not path.exists()


def test_sockets_that_were_given_are_left_open_for_whoever_has_opened_them() -> None:
    async def serve(sock: socket.socket) -> bytes:
        async with MetricsEndpoint("127.0.0.1:1", census(), [sock]) as endpoint:
            assert endpoint.addresses == [f"http://127.0.0.1:{sock.getsockname()[1]}"]
        async with MetricsEndpoint("127.0.0.1:1", census(), [sock]):
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            writer.write(f"{GET}Connection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            return answer

    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert asyncio.run(serve(sock)).startswith(b"HTTP/1.1 200 ")


def test_a_process_without_a_supervisor_has_metrics_of_its_own() -> None:
    async def serve() -> dict[str, int]:
        own = OwnMetrics("127.0.0.1:0")
        await own.start()
        own.set_state("serving")
        assert own.addresses[0].startswith("http://127.0.0.1:")
        await own.stop()
        return own.census.count_states()

    assert asyncio.run(serve()) == {"starting": 0, "serving": 1, "draining": 0}


def test_a_process_without_an_address_counts_all_the_same() -> None:
    async def serve() -> OwnMetrics:
        own = OwnMetrics(None)
        await own.start()
        await own.stop()
        return own

    own = asyncio.run(serve())
    assert (own.addresses, len(own.cells)) == ([], 128)
