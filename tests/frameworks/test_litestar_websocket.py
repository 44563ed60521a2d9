"""Litestar's WebSockets, served for real."""

import json
from collections.abc import Iterator

import pytest
from tests.frameworks.dialing import dial, ending, hear, refusal
from tests.served import Served, served

pytestmark = pytest.mark.process

APP = "tests.frameworks.litestar_websocket_app:app"


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served(APP, supervised=True) as server:
        yield server


def test_a_listener_answers_text(site: Served) -> None:
    with dial(site, "/upper") as client:
        for text in ("hello", "schön", "", "x" * 200_000):
            client.send(text)
            assert hear(client) == text.upper()


def test_a_listener_answers_bytes(site: Served) -> None:
    with dial(site, "/reversed") as client:
        client.send(b"\x00\x01\xff")
        assert hear(client) == b"\xff\x01\x00"


def test_a_listener_takes_and_returns_models_and_has_the_state_of_lifespan() -> None:
    with served(APP) as server, dial(server, "/points") as client:
        client.send('{"x": 1, "y": 2}')
        assert json.loads(hear(client)) == [{"x": 1, "y": -2}]
        client.send('{"x": 3, "y": 4}')
        assert json.loads(hear(client)) == [{"x": 1, "y": -2}, {"x": 3, "y": -4}]


def test_a_listener_class_is_told_of_the_beginning_and_the_end(site: Served) -> None:
    with dial(site, "/greeter/ada") as client:
        assert hear(client) == "hello ada"
        client.send("hi")
        assert hear(client) == "ada: hi"
    site.wait_for("goodbye ada")


def test_a_listener_class_is_told_of_a_client_that_vanishes(site: Served) -> None:
    with dial(site, "/greeter/eve") as client:
        assert hear(client) == "hello eve"
        client.socket.close()
        site.wait_for("goodbye eve")


def test_a_handler_sees_the_code_of_the_client(site: Served) -> None:
    with dial(site, "/raw") as client:
        client.send("[1]")
        assert json.loads(hear(client)) == {"got": [1]}
        client.close(4321)
    site.wait_for("gone with 4321")


def test_the_chosen_subprotocol_and_the_fields_are_in_the_answer(site: Served) -> None:
    with dial(site, "/raw", subprotocols=["chat.v1", "chat.v2"]) as client:
        assert client.subprotocol == "chat.v2"
        assert client.response is not None
        assert client.response.headers["x-chosen"] == "the last"


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_the_client_gets_code_and_reason_of_the_handler(site: Served, code: int) -> None:
    with dial(site, f"/close/{code}") as client:
        assert ending(client) == (code, "the handler's")


def test_a_websocket_exception_after_accept_closes_with_its_code(site: Served) -> None:
    with dial(site, "/rude") as client:
        assert ending(client) == (4001, "no more of this")


def test_a_websocket_exception_before_accept_is_a_403(site: Served) -> None:
    assert refusal(site, "/rude-at-once").status_code == 403


def test_a_guard_refuses(site: Served) -> None:
    assert refusal(site, "/secret").status_code == 403


def test_a_guard_lets_in(site: Served) -> None:
    with dial(site, "/secret", additional_headers={"authorization": "Bearer key"}) as client:
        assert hear(client) == "the secret"
        assert ending(client) == (1000, "")


def test_an_unknown_path_is_a_403(site: Served) -> None:
    assert refusal(site, "/nowhere").status_code == 403


def test_an_exception_closes_with_litestars_own_code(site: Served) -> None:
    with dial(site, "/crash") as client:
        client.send("go")
        assert ending(client) == (4500, "Internal Server Error")


def test_a_stream_is_whole_and_closes(site: Served) -> None:
    with dial(site, "/count") as client:
        assert [json.loads(hear(client)) for _ in range(30)] == list(range(30))
        assert ending(client) == (1000, "")


def test_an_endless_stream_ends_when_the_client_leaves() -> None:
    with served(APP) as server:
        with dial(server, "/endless") as client:
            assert hear(client) == "tick"
        server.wait_for("the endless stream has ended")
    assert "Traceback" not in server.log


def test_an_endless_stream_ends_when_the_server_stops() -> None:
    with served(APP) as server, dial(server, "/endless") as client:
        assert hear(client) == "tick"
        assert server.stop() == 0
        server.wait_for("the endless stream has ended")
    assert "Traceback" not in server.log


def test_subscribers_of_a_channel_hear_what_is_published_and_what_was() -> None:
    with served(APP) as server:
        assert server.client.get("/publish/first").text == "first"
        with dial(server, "/channels/news") as one, dial(server, "/channels/news") as two:
            assert json.loads(hear(one)) == json.loads(hear(two)) == {"news": "first"}
            server.client.get("/publish/second")
            assert json.loads(hear(one)) == json.loads(hear(two)) == {"news": "second"}
