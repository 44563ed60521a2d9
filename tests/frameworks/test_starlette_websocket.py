"""Starlette's WebSockets, served for real."""

import json
from collections.abc import Iterator

import pytest
from tests.frameworks.dialing import ANSWER_S, dial, ending, hear, refusal
from tests.served import Served, served
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

pytestmark = pytest.mark.process

APP = "tests.frameworks.starlette_websocket_app:app"


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served(APP, supervised=True) as server:
        yield server


def hear_all(client: ClientConnection) -> None:
    while True:
        hear(client)


def flood(client: ClientConnection) -> None:
    while True:
        client.send("x" * 100_000)


# --- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "hello", "schön 🙂", "a\0b\r\n", "x" * 200_000])
def test_iter_text_takes_what_was_sent(site: Served, text: str) -> None:
    with dial(site, "/echo") as client:
        client.send(text)
        assert hear(client) == text


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 1_000])
def test_iter_bytes_takes_what_was_sent(site: Served, data: bytes) -> None:
    with dial(site, "/echo-bytes") as client:
        client.send(data)
        assert hear(client) == data


def test_a_burst_is_answered_whole_and_in_order(site: Served) -> None:
    with dial(site, "/echo") as client:
        for number in range(500):
            client.send(str(number))
        assert [hear(client) for _ in range(500)] == [str(number) for number in range(500)]


def test_iter_text_ends_when_the_client_closes(site: Served) -> None:
    with dial(site, "/echo?who=iter"):
        pass
    site.wait_for("iter: the loop has ended")


def test_bytes_for_iter_text_are_the_applications_error(site: Served) -> None:
    with dial(site, "/echo") as client:
        client.send(b"bytes")
        assert ending(client) == (1011, "")
    site.wait_for("KeyError: 'text'")


def test_an_endpoint_of_json_answers_in_json(site: Served) -> None:
    with dial(site, "/calculator") as client:
        for numbers in ([1, 2, 3], [], [0.5, 0.25]):
            client.send(json.dumps(numbers))
            assert json.loads(hear(client)) == {"sum": sum(numbers)}


def test_an_endpoint_of_json_takes_bytes_too(site: Served) -> None:
    with dial(site, "/calculator") as client:
        client.send(b"[1, 2]")
        assert json.loads(hear(client)) == {"sum": 3}


def test_an_endpoint_sends_and_receives_at_once(site: Served) -> None:
    with dial(site, "/both") as client:
        assert [hear(client) for _ in range(20)] == [str(number) for number in range(1, 21)]
        client.send("stop")
        with pytest.raises(ConnectionClosed) as closed:
            hear_all(client)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "enough")


def test_a_threads_result_is_sent(site: Served) -> None:
    with dial(site, "/in-a-thread") as client:
        client.send("loud")
        assert hear(client) == "LOUD"
        assert ending(client) == (1000, "")


@pytest.mark.parametrize("path", ["/impatient", "/patient"])
def test_waiting_with_a_timeout_loses_nothing(site: Served, path: str) -> None:
    with dial(site, path) as client:
        for number in range(50):
            assert client.ping().wait(ANSWER_S)  # so the endpoint has to wait, too
            client.send(str(number))
        assert json.loads(hear(client)) == [str(number) for number in range(50)]
        assert ending(client) == (1000, "")


def test_all_that_was_sent_arrives_before_the_close(site: Served) -> None:
    with dial(site, "/farewell") as client:
        assert [hear(client) for _ in range(5)] == [bytes([number]) * 1_000_000 for number in range(5)]
        assert ending(client) == (4000, "that was all")


def test_two_clients_have_each_their_own(site: Served) -> None:
    with dial(site, "/echo") as one, dial(site, "/echo") as two:
        one.send("one")
        two.send("two")
        assert (hear(two), hear(one)) == ("two", "one")


# --- the handshake ------------------------------------------------------------------------------


def test_the_scope_has_url_parameters_and_fields(site: Served) -> None:
    path = "/rooms/bar?a=1&b=%26"
    with dial(site, path, origin="http://shop.example", additional_headers={"cookie": "x=1; y=2"}) as client:
        described = json.loads(hear(client))
    address = site.url.replace("http", "ws", 1)
    assert described == {
        "url": f"{address}/rooms/bar?a=1&b=%26",
        "room": "bar",
        "query": {"a": "1", "b": "&"},
        "cookies": {"x": "1", "y": "2"},
        "origin": "http://shop.example",
        "client": "127.0.0.1",
        "there": f"{address}/rooms/the-next",
    }


def test_the_path_is_decoded(site: Served) -> None:
    with dial(site, "/rooms/caf%C3%A9%20noir") as client:
        assert json.loads(hear(client))["room"] == "café noir"


def test_a_trusted_proxy_tells_client_scheme_and_host(site: Served) -> None:
    headers = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", "x-forwarded-host": "shop.example"}
    with dial(site, "/rooms/a", additional_headers=headers) as client:
        described = json.loads(hear(client))
    assert (described["client"], described["url"]) == ("203.0.113.7", "wss://shop.example/rooms/a")


def test_the_root_path_is_in_the_url() -> None:
    with served(APP, "--root-path", "/api") as server, dial(server, "/rooms/bar") as client:
        described = json.loads(hear(client))
    assert described["url"] == f"{server.url.replace('http', 'ws', 1)}/api/rooms/bar"
    assert described["there"] == f"{server.url.replace('http', 'ws', 1)}/api/rooms/the-next"


def test_the_chosen_subprotocol_and_the_fields_are_in_the_answer(site: Served) -> None:
    with dial(site, "/subprotocol", subprotocols=["chat.v1", "chat.v2"]) as client:
        assert client.subprotocol == "chat.v2"
        assert client.response is not None
        assert client.response.headers["x-chosen"] == "the last"
        assert json.loads(hear(client)) == ["chat.v1", "chat.v2"]


def test_without_an_offer_there_is_no_subprotocol(site: Served) -> None:
    with dial(site, "/subprotocol") as client:
        assert client.subprotocol is None
        assert json.loads(hear(client)) == []


def test_a_subprotocol_that_was_not_offered_is_the_applications_error(site: Served) -> None:
    assert refusal(site, "/invented", subprotocols=["chat.v1"]).status_code == 500
    site.wait_for("the client offers subprotocols .*, not 'not.offered'")


def test_plain_middleware_adds_fields_to_the_answer(site: Served) -> None:
    with dial(site, "/echo") as client:
        assert client.response is not None
        assert client.response.headers["x-stamp"] == "plain"
        assert "x-middleware" not in client.response.headers


def test_plain_middleware_sees_what_the_endpoint_sends(site: Served) -> None:
    with dial(site, "/counted") as client:
        client.send("one")
        hear(client)
        assert ending(client) == (1000, "")
    site.wait_for("sent: websocket.accept websocket.send websocket.close$")


def test_state_from_lifespan_is_shared_with_requests() -> None:
    with served(APP) as server:
        with dial(server, "/remember") as one, dial(server, "/remember") as two:
            one.send("first")
            assert json.loads(hear(one)) == ["first"]
            two.send("second")
            assert json.loads(hear(two)) == ["first", "second"]
        assert server.client.get("/said").json() == ["first", "second"]


def test_a_websocket_is_in_the_access_log() -> None:
    with served(APP) as server:
        with dial(server, "/echo?token=1"):
            pass
        refusal(server, "/refuse")
    assert '"GET /echo?token=1 HTTP/1.1" 101' in server.log
    assert '"GET /refuse HTTP/1.1" 403' in server.log


# --- refusals -----------------------------------------------------------------------------------


def test_a_close_before_accept_is_a_403(site: Served) -> None:
    answer = refusal(site, "/refuse?who=refuser")
    assert answer.status_code == 403
    site.wait_for("refuser: has refused")


def test_a_denial_response_is_what_the_client_gets(site: Served) -> None:
    answer = refusal(site, "/deny")
    assert (answer.status_code, json.loads(answer.body)) == (401, {"who": "are you?"})
    assert answer.headers["www-authenticate"] == "Basic"
    assert answer.headers["content-type"] == "application/json"
    assert "upgrade" not in answer.headers


def test_a_denial_response_may_be_streamed(site: Served) -> None:
    answer = refusal(site, "/deny-in-pieces")
    assert answer.status_code == 429
    assert answer.body.decode() == "".join(f"reason {number}\n" for number in range(50))


def test_after_a_denial_the_endpoint_is_told_of_a_disconnect(site: Served) -> None:
    assert refusal(site, "/deny-and-watch?who=denier").body == b"no"
    site.wait_for("denier: then came websocket.disconnect")


def test_an_http_exception_before_accept_is_its_answer(site: Served) -> None:
    answer = refusal(site, "/teapot")
    assert (answer.status_code, answer.body, answer.headers["x-pot"]) == (418, b"short and stout", "tea")


def test_a_websocket_exception_before_accept_is_a_403(site: Served) -> None:
    assert refusal(site, "/rude").status_code == 403


def test_an_unknown_path_is_a_403(site: Served) -> None:
    assert refusal(site, "/nowhere").status_code == 403


def test_middleware_may_answer_in_the_applications_place() -> None:
    with served("tests.frameworks.starlette_websocket_app:guarded") as server:
        assert refusal(server, "/echo", additional_headers={"host": "evil.example"}).status_code == 400


def test_an_exception_before_accept_is_a_500_logged_once() -> None:
    with served(APP) as server:
        assert refusal(server, "/crash").status_code == 500
        with dial(server, "/echo") as client:
            client.send("the server lives on")
            assert hear(client) == "the server lives on"
    assert server.log.count("RuntimeError: an endpoint that fails before it accepts") == 1


def test_an_endpoint_that_says_nothing_is_a_500(site: Served) -> None:
    assert refusal(site, "/silent").status_code == 500
    site.wait_for("returned without answering")


def test_a_path_of_websockets_is_no_page(site: Served) -> None:
    assert site.client.get("/echo").status_code == 404


def test_a_page_is_no_path_of_websockets(site: Served) -> None:
    assert refusal(site, "/said").status_code == 403


# --- the client closes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1000, "bye"), (1001, "schön"), (3000, ""), (4999, "x" * 123)]
)
def test_the_endpoint_sees_code_and_reason_of_the_client(site: Served, code: int, reason: str) -> None:
    with dial(site, f"/watch?who=watch-{code}") as client:
        client.close(code, reason)
        assert client.close_code == code  # a close is answered with its code
    site.wait_for(rf"watch-{code}: gone with {code} '{reason}'")


def test_a_close_without_a_code_is_a_1005(site: Served) -> None:
    with dial(site, "/watch?who=codeless") as client:
        client.socket.sendall(b"\x88\x80\0\0\0\0")
        site.wait_for("codeless: gone with 1005 ''")


def test_a_client_that_vanishes_is_a_1006(site: Served) -> None:
    with dial(site, "/watch?who=vanished") as client:
        client.send("here")
        site.wait_for("vanished: received 'here'")
        client.socket.close()
        site.wait_for("vanished: gone with 1006 ''")


def test_messages_before_the_close_come_first(site: Served) -> None:
    with dial(site, "/watch?who=hasty") as client:
        for number in range(5):
            client.send(str(number))
        client.close(4001)
    for number in range(5):
        site.wait_for(f"hasty: received '{number}'")
    site.wait_for("hasty: gone with 4001")


def test_an_endpoint_class_is_told_of_the_code(site: Served) -> None:
    with dial(site, "/calculator?who=class") as client:
        client.close(4321)
    site.wait_for("class: left the calculator with 4321")


def test_a_send_after_the_client_has_closed_raises_a_disconnect(site: Served) -> None:
    with dial(site, "/endless?who=endless") as client:
        assert hear(client) == "tick"
    site.wait_for("endless: sending has failed with 1006")


def test_receiving_goes_on_after_the_end_as_starlette_says(site: Served) -> None:
    with dial(site, "/vanished?who=careless"):
        pass
    site.wait_for('careless: Cannot call "receive" once a disconnect message has been received.')


# --- the application closes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        ("code=1000", 1000, ""),
        ("code=1001&reason=bye", 1001, "bye"),
        ("code=1013&reason=sch%C3%B6n", 1013, "schön"),
        ("code=3000", 3000, ""),
        (f"code=4999&reason={'x' * 123}", 4999, "x" * 123),
    ],
)
def test_the_client_gets_code_and_reason_of_the_application(site: Served, query: str, code: int, reason: str) -> None:
    with dial(site, f"/close?{query}") as client:
        assert ending(client) == (code, reason)


@pytest.mark.parametrize("query", ["code=1005", "code=1006", "code=1015", "code=2999", "code=999", "code=5000"])
def test_a_code_that_may_not_be_sent_is_the_applications_error(site: Served, query: str) -> None:
    with dial(site, f"/close?{query}") as client:
        assert ending(client) == (1011, "")
    site.wait_for("MessageError: .*code")


def test_a_reason_that_is_too_long_is_the_applications_error(site: Served) -> None:
    with dial(site, f"/close?code=1000&reason={'x' * 124}") as client:
        assert ending(client) == (1011, "")
    site.wait_for("MessageError: .*reason")


def test_an_application_that_has_closed_receives_its_own_code(site: Served) -> None:
    with dial(site, "/close-and-watch?who=closer") as client:
        assert ending(client) == (4002, "the application's")
    site.wait_for('closer: then came websocket.disconnect 4002 "the application\'s"')


def test_an_endpoint_that_returns_closes_with_1000(site: Served) -> None:
    with dial(site, "/unread") as client:
        client.send("a sign")
        assert ending(client) == (1000, "")


def test_messages_that_nobody_reads_do_not_keep_it_open(site: Served) -> None:
    with dial(site, "/unread") as client:
        client.send("a sign")
        with pytest.raises(ConnectionClosed) as closed:
            flood(client)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


def test_text_only_closes_with_1003_and_the_error_is_logged_once() -> None:
    with served(APP) as server:
        with dial(server, "/text-only?who=strict") as client:
            client.send(b"bytes")
            assert ending(client) == (1003, "")
        server.wait_for("strict: on_disconnect with 1011")
    assert server.log.count("RuntimeError: Expected text websocket messages, but got bytes") == 1


def test_a_websocket_exception_closes_with_its_code(site: Served) -> None:
    with dial(site, "/rude-later") as client:
        assert ending(client) == (4001, "no more of this")


def test_an_http_exception_after_accept_is_a_1011(site: Served) -> None:
    with dial(site, "/teapot-later") as client:
        assert ending(client) == (1011, "")
    site.wait_for("MessageError: expected .* got 'websocket.http.response.start'")


def test_a_second_close_is_starlettes_error(site: Served) -> None:
    with dial(site, "/close-twice") as client:
        assert ending(client) == (1000, "")
    site.wait_for('Cannot call "send" once a close message has been sent.')


def test_an_exception_is_a_1011_logged_once() -> None:
    with served(APP) as server:
        with dial(server, "/crash-later") as client:
            client.send("go")
            assert ending(client) == (1011, "")
        with dial(server, "/echo") as client:
            client.send("the server lives on")
            assert hear(client) == "the server lives on"
    assert server.log.count("RuntimeError: an endpoint that fails in the middle") == 1


# --- the server stops ---------------------------------------------------------------------------


def test_a_stop_closes_with_1012_and_the_endpoint_sees_it() -> None:
    with served(APP) as server:
        with dial(server, "/watch?who=stopped") as client:
            client.send("here")
            server.wait_for("stopped: received 'here'")
            assert server.stop() == 0
            assert ending(client) == (1012, "")
        server.wait_for("stopped: gone with 1012 ''")
        server.wait_for("^shutdown$")
    assert "Traceback" not in server.log


def test_a_client_that_does_not_answer_the_close_does_not_hold_up_the_stop() -> None:
    with served(APP, "--timeout-graceful-shutdown", "0.2") as server:
        with dial(server, "/endless") as client:
            assert hear(client) == "tick"
            assert server.stop() == 0
        server.wait_for("sending has failed with 1006")
    assert "Traceback" not in server.log
