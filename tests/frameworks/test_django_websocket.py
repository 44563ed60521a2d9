"""Django Channels, served for real."""

import json
from collections.abc import Iterator

import pytest
from tests.frameworks.dialing import dial, ending, hear, refusal
from tests.served import Served, served
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.process

APP = "tests.frameworks.django_websocket_app:app"
GUARDED = "tests.frameworks.django_websocket_app:guarded"


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served(APP, supervised=True) as server:
        yield server


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    with served(GUARDED) as server:
        yield server


# --- consumers ----------------------------------------------------------------------------------


def test_a_group_hears_what_one_says(site: Served) -> None:
    with dial(site, "/room/blue/") as ada, dial(site, "/room/blue/") as bob, dial(site, "/room/red/") as eve:
        assert hear(ada) == hear(bob) == hear(eve) == "welcome"
        ada.send("hello")
        assert hear(ada) == hear(bob) == "hello"
        eve.send("alone")
        assert hear(eve) == "alone"


def test_a_group_hears_who_has_left_and_with_which_code(site: Served) -> None:
    with dial(site, "/room/green/") as ada:
        hear(ada)
        with dial(site, "/room/green/") as bob:
            hear(bob)
            bob.close(4002)
        assert hear(ada) == "somebody has left with 4002"


def test_who_vanishes_has_left_with_1006(site: Served) -> None:
    with dial(site, "/room/pink/") as ada, dial(site, "/room/pink/") as bob:
        assert hear(ada) == hear(bob) == "welcome"
        bob.socket.close()
        assert hear(ada) == "somebody has left with 1006"


def test_a_name_in_the_path_is_decoded(site: Served) -> None:
    with dial(site, "/room/caf-%65/") as ada, dial(site, "/room/caf-e/") as bob:
        assert hear(ada) == hear(bob) == "welcome"
        ada.send("the same room")
        assert hear(bob) == "the same room"


def test_bytes_are_told_from_text(site: Served) -> None:
    with dial(site, "/room/binary/") as client:
        hear(client)
        client.send(b"\x00\xff")
        assert hear(client) == repr(b"\x00\xff")


def test_a_json_consumer_answers_in_json(site: Served) -> None:
    with dial(site, "/calculator/") as client:
        client.send("[1, 2, 3]")
        assert json.loads(hear(client)) == {"sum": 6}


def test_a_consumer_in_threads_answers_in_order(site: Served) -> None:
    with dial(site, "/threaded/") as client:
        for number in range(50):
            client.send(str(number))
        assert [json.loads(hear(client)) for _ in range(50)] == [{"got": number} for number in range(50)]


def test_a_consumer_in_threads_is_told_of_the_code(site: Served) -> None:
    with dial(site, "/threaded/") as client:
        client.close(4321)
    site.wait_for("left the thread with 4321")


def test_a_view_sends_to_a_group(site: Served) -> None:
    with dial(site, "/threaded/") as client:
        client.send('"ready"')
        assert json.loads(hear(client)) == {"got": "ready"}
        assert site.client.get("/announce/sale/").text == "sale"
        assert json.loads(hear(client)) == {"news": "sale"}


@pytest.mark.parametrize("message", ["", "text", b"", b"bytes", "x" * 200_000, b"x" * 200_000])
def test_a_synchronous_consumer_echoes(site: Served, message: str | bytes) -> None:
    with dial(site, "/raw/") as client:
        client.send(message)
        assert hear(client) == message


def test_a_session_of_django_is_read(site: Served) -> None:
    answer = site.client.get("/log-in/ada/")
    cookie = f"sessionid={answer.cookies['sessionid']}"
    site.client.cookies.clear()
    with dial(site, "/remembering/", additional_headers={"cookie": cookie}) as client:
        assert hear(client) == "ada"
    with dial(site, "/remembering/") as client:
        assert hear(client) == "nobody"


# --- the handshake ------------------------------------------------------------------------------


def test_the_chosen_subprotocol_and_the_fields_are_in_the_answer(site: Served) -> None:
    with dial(site, "/speaking/", subprotocols=["chat.v1", "chat.v2"]) as client:
        assert client.subprotocol == "chat.v2"
        assert client.response is not None
        assert client.response.headers["x-chosen"] == "the last"
        assert hear(client) == "spoken"


def test_without_an_offer_there_is_no_subprotocol(site: Served) -> None:
    with dial(site, "/speaking/") as client:
        assert client.subprotocol is None
        assert hear(client) == "spoken"


def test_a_foreign_origin_is_refused(guarded: Served) -> None:
    assert refusal(guarded, "/room/blue/", origin="http://evil.example").status_code == 403


def test_no_origin_is_refused(guarded: Served) -> None:
    assert refusal(guarded, "/room/blue/").status_code == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "http://127.0.0.1:9999", "https://www.shop.example"])
def test_an_allowed_host_as_origin_is_let_in(guarded: Served, origin: str) -> None:
    with dial(guarded, "/room/blue/", origin=origin) as client:
        assert hear(client) == "welcome"


@pytest.mark.parametrize("origin", ["http://shop.example", "https://shop.example:8443", "https://evil.example"])
def test_an_origin_of_another_scheme_port_or_host_is_refused(site: Served, origin: str) -> None:
    assert refusal(site, "/strict/", origin=origin).status_code == 403


def test_the_very_origin_is_let_in(site: Served) -> None:
    with dial(site, "/strict/", origin="https://shop.example") as client:
        client.send("in")
        assert hear(client) == "in"


def test_a_close_before_accept_is_a_403_and_the_consumer_is_told_of_the_end(site: Served) -> None:
    assert refusal(site, "/denied/").status_code == 403
    site.wait_for(r"denied by itself, told \d+")


def test_an_unknown_path_is_a_500_logged_once() -> None:
    with served(APP) as server:
        assert refusal(server, "/nowhere/").status_code == 500
    assert server.log.count("ValueError: No route found for path 'nowhere/'.") == 1


def test_a_path_of_websockets_is_no_page(site: Served) -> None:
    assert site.client.get("/raw/").status_code == 404


def test_a_router_without_lifespan_starts_and_stops_in_silence() -> None:
    with served(APP) as server, dial(server, "/raw/") as client:
        client.send("here")
        assert hear(client) == "here"
    assert "No application configured for scope type" not in server.log
    assert "Traceback" not in server.log


# --- closing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_the_client_gets_code_and_reason_of_the_consumer(site: Served, code: int) -> None:
    with dial(site, f"/closing/{code}/") as client:
        assert ending(client) == (code, "the consumer's")
    site.wait_for(f"closed by itself, told {code}")


def test_an_exception_is_a_1011_logged_once() -> None:
    with served(APP) as server:
        with dial(server, "/crashing/") as client:
            client.send("go")
            assert ending(client) == (1011, "")
        with dial(server, "/raw/") as client:
            client.send("the server lives on")
            assert hear(client) == "the server lives on"
    assert server.log.count("RuntimeError: a consumer that fails") == 1


def test_the_members_of_a_group_are_told_of_a_stop() -> None:
    with served(APP) as server, dial(server, "/room/blue/") as ada, dial(server, "/room/blue/") as bob:
        assert hear(ada) == hear(bob) == "welcome"
        assert server.stop() == 0
        for client in (ada, bob):
            with pytest.raises(ConnectionClosed) as closed:
                hear(client)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1012
    assert "Traceback" not in server.log
