"""FastAPI's WebSockets, served for real."""

import json
from collections.abc import Iterator

import pytest
from tests.frameworks.dialing import dial, ending, hear, refusal
from tests.served import Served, served

pytestmark = pytest.mark.process

APP = "tests.frameworks.fastapi_websocket_app:app"


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served(APP, supervised=True) as server:
        yield server


def test_parameters_of_path_query_and_header_are_typed(site: Served) -> None:
    path = "/items/7?token=ada&q=a&q=b%20c"
    with dial(site, path, additional_headers={"x-kind": "gift"}) as client:
        assert json.loads(hear(client)) == {"number": 7, "name": "ada", "q": ["a", "b c"], "kind": "gift"}
        client.send("hello")
        assert hear(client) == "ada: hello"


def test_a_parameter_may_be_a_cookie(site: Served) -> None:
    with dial(site, "/items/7", additional_headers={"cookie": "session=bob"}) as client:
        assert json.loads(hear(client)) == {"number": 7, "name": "bob", "q": None, "kind": "none"}


def test_a_dependency_is_closed_after_the_websocket(site: Served) -> None:
    with dial(site, "/items/1?token=eve") as client:
        hear(client)
        client.send("still open")
        assert hear(client) == "eve: still open"
        assert "the dependency of eve is closed" not in site.log
    site.wait_for("the dependency of eve is closed")


def test_a_websocket_exception_of_a_dependency_is_a_403(site: Served) -> None:
    assert refusal(site, "/items/7").status_code == 403


def test_a_wrong_path_parameter_is_a_403(site: Served) -> None:
    assert refusal(site, "/items/seven?token=ada").status_code == 403


def test_an_http_exception_of_a_dependency_is_its_answer(site: Served) -> None:
    answer = refusal(site, "/licensed")
    assert (answer.status_code, json.loads(answer.body)) == (402, {"detail": "buy one"})
    assert answer.headers["x-price"] == "12"


def test_a_header_lets_in(site: Served) -> None:
    with dial(site, "/licensed", additional_headers={"x-licence": "paid"}) as client:
        assert ending(client) == (1000, "")


def test_an_unknown_path_is_a_403(site: Served) -> None:
    assert refusal(site, "/nowhere").status_code == 403


def test_a_websocket_exception_after_accept_closes_with_its_code(site: Served) -> None:
    with dial(site, "/strict") as client:
        client.send("12")
        assert hear(client) == "144"
        client.send("twelve")
        assert ending(client) == (4400, "'twelve' is not a number")


def test_a_router_has_a_prefix_and_models_are_validated(site: Served) -> None:
    with dial(site, "/v1/models") as client:
        client.send(json.dumps({"name": "théière", "price": "12.5"}))
        assert json.loads(hear(client)) == {"name": "théière", "price": 12.5}


def test_a_wrong_model_is_a_1011_logged_once() -> None:
    with served(APP) as server, dial(server, "/v1/models") as client:
        client.send(json.dumps({"name": "cup"}))
        assert ending(client) == (1011, "")
    assert server.log.count("Exception in ASGI application") == 1
    assert server.log.count("ValidationError: 1 validation error for Item") == 1


def test_the_members_of_a_room_hear_who_speaks_and_who_leaves(site: Served) -> None:
    with dial(site, "/room/ada") as ada:
        with dial(site, "/room/bob") as bob:
            ada.send("hello")
            assert hear(ada) == hear(bob) == "ada: hello"
            bob.send("hi")
            assert hear(ada) == hear(bob) == "bob: hi"
            bob.close(4002, "in a hurry")
        assert hear(ada) == "bob has left with 4002 'in a hurry'"
        assert site.client.get("/room").json() == 1


def test_a_member_that_vanishes_has_left_with_1006(site: Served) -> None:
    with dial(site, "/room/ada") as ada, dial(site, "/room/bob") as bob:
        bob.send("hi")
        assert hear(ada) == hear(bob) == "bob: hi"
        bob.socket.close()
        assert hear(ada) == "bob has left with 1006 ''"


def test_a_disconnect_that_nobody_catches_is_logged_and_does_no_harm(site: Served) -> None:
    with dial(site, "/strict") as client:
        client.close(4321)
    site.wait_for(r"WebSocketDisconnect: \(4321, ''\)")
    with dial(site, "/strict") as client:
        client.send("4")
        assert hear(client) == "16"


def test_the_members_are_told_of_a_stop() -> None:
    with served(APP) as server, dial(server, "/room/ada") as client:
        client.send("hello")
        assert hear(client) == "ada: hello"
        assert server.stop() == 0
        assert ending(client) == (1012, "")
    assert "Traceback" not in server.log
