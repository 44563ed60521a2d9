"""The chat, spoken to by real WebSocket clients and by people in a real browser."""

import asyncio
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from examples.chat import app, room
from tests.browser import Page, chromium, page
from tests.live import Wire
from tests.served import Served, served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from portico.asgi import Message

pytestmark = pytest.mark.process

APP = "examples.chat:app"
ANSWER_S = 10
HANDSHAKE = (
    b"GET /chat?name=%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture
def chat() -> Iterator[Served]:
    with served(APP, supervised=True) as server:
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chromium(tmp_path_factory.mktemp("profile")) as address:
        yield address


def port_of(server: Served) -> int:
    assert server.client.base_url.port is not None
    return server.client.base_url.port


def member(server: Served, name: str, path: str = "/chat") -> ClientConnection:
    """Connect a client; without a proxy from the environment."""
    url = f"ws://127.0.0.1:{port_of(server)}{path}?name={quote(name)}"
    return connect(url, proxy=None, open_timeout=ANSWER_S, close_timeout=ANSWER_S)


def hears(client: ClientConnection, *lines: str) -> None:
    """Expect these lines next."""
    assert tuple(client.recv(ANSWER_S) for _ in lines) == lines


@pytest.fixture
def pair(chat: Served) -> Iterator[tuple[ClientConnection, ClientConnection]]:
    """Ada and Bob, in the same room."""
    with member(chat, "Ada") as ada, member(chat, "Bob") as bob:
        hears(ada, "* Ada joined", "* Bob joined")
        hears(bob, "* Bob joined")
        yield ada, bob


# --- clients ------------------------------------------------------------------------------------


def test_every_member_hears_what_one_says(pair: tuple[ClientConnection, ClientConnection]) -> None:
    ada, bob = pair
    ada.send("hello")
    for client in pair:
        hears(client, "Ada: hello")
    bob.send("schön 🙂")
    for client in pair:
        hears(client, "Bob: schön 🙂")


def test_a_burst_arrives_whole_and_in_order(pair: tuple[ClientConnection, ClientConnection]) -> None:
    for number in range(500):
        pair[0].send(f"line {number}")
    for client in pair:
        hears(client, *(f"Ada: line {number}" for number in range(500)))


def test_bytes_and_nothing_are_not_said(pair: tuple[ClientConnection, ClientConnection]) -> None:
    ada, bob = pair
    for message in (b"bytes", "", "text"):
        ada.send(message)
    hears(bob, "Ada: text")


def test_a_long_text_is_cut(pair: tuple[ClientConnection, ClientConnection]) -> None:
    ada, bob = pair
    ada.send("a" * 2_000 + "b")
    hears(bob, "Ada: " + "a" * 2_000)


@pytest.mark.parametrize(
    ("given", "name"),
    [("", "somebody"), (" * ", "somebody"), ("a:\n b", "a b"), ("Zoë 🙂", "Zoë 🙂"), ("n" * 99, "n" * 24)],
)
def test_a_name_is_tidied(chat: Served, given: str, name: str) -> None:
    with member(chat, given) as client:
        hears(client, f"* {name} joined")


def test_who_closes_has_left(pair: tuple[ClientConnection, ClientConnection]) -> None:
    ada, bob = pair
    bob.close()
    hears(ada, "* Bob left")


def test_who_vanishes_has_left(chat: Served) -> None:
    with member(chat, "Ada") as ada, Wire(port_of(chat)) as wire:
        hears(ada, "* Ada joined")
        wire.send(HANDSHAKE % b"Bob")
        hears(ada, "* Bob joined")
        wire.abort()
        hears(ada, "* Bob left")
    assert "Traceback" not in chat.log


def test_a_send_that_fails_ends_the_membership() -> None:
    silent = asyncio.Event()

    async def receive() -> Message:
        if silent.is_set():
            await asyncio.Event().wait()  # the loss of the client is first seen by send()
        silent.set()
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        if message["type"] != "websocket.accept":
            raise BrokenPipeError

    scope = {"type": "websocket", "path": "/chat", "query_string": b""}
    asyncio.run(asyncio.wait_for(app(scope, receive, send), ANSWER_S))
    assert room == {}


def test_who_does_not_read_is_shown_out_and_holds_up_nobody(chat: Served) -> None:
    with member(chat, "Ada") as ada, Wire(port_of(chat), receive_buffer=4096) as slow:
        slow.send(HANDSHAKE % b"Bob")
        hears(ada, "* Ada joined", "* Bob joined")
        for _ in range(5_000):  # more than two kernels and a server may hold for Bob
            ada.send("🙂" * 2_000)
            if ada.recv(ANSWER_S) == "* Bob left":
                break
        else:
            pytest.fail("Bob may fall behind without end")
    assert "Traceback" not in chat.log


def test_a_websocket_to_another_path_is_refused(chat: Served) -> None:
    with pytest.raises(InvalidStatus) as refused:
        member(chat, "Ada", "/elsewhere")
    assert refused.value.response.status_code == 403


def test_only_the_page_is_served(chat: Served) -> None:
    answer = chat.client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert chat.client.get("/chat.py").status_code == 404


def test_members_are_told_that_the_server_restarts(chat: Served) -> None:
    with member(chat, "Ada") as ada:
        hears(ada, "* Ada joined")
        assert chat.stop() == 0
        with pytest.raises(ConnectionClosed) as closed:
            ada.recv(ANSWER_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012  # Service Restart
    assert "Traceback" not in chat.log


# --- browsers -----------------------------------------------------------------------------------


@pytest.fixture
def eve(chat: Served, browser: str) -> Iterator[Page]:
    """Eve's browser, connected."""
    with page(browser) as tab:
        tab.open(f"{chat.url}/?name=Eve")
        assert tab.shown("#state", "Connected") == "Connected as Eve"
        tab.shown("#log li", "* Eve joined")
        yield tab


def test_what_is_typed_reaches_every_browser_and_client(chat: Served, browser: str, eve: Page) -> None:
    with page(browser) as tab, member(chat, "Ada") as ada:
        tab.open(f"{chat.url}/?name=Mallory")
        tab.shown("#state", "Connected")
        hears(ada, "* Ada joined", "* Mallory joined")
        eve.type("hello from a browser", into="#text")
        hears(ada, "Eve: hello from a browser")
        for each in (eve, tab):
            each.shown("#log li", "Eve: hello from a browser")
    assert eve.run("document.querySelector('#text').value") == ""


def test_what_a_client_says_is_shown_as_text(chat: Served, eve: Page) -> None:
    said = "<img src=x onerror=alert(1)> & 'quotes'"
    with member(chat, "Ada") as ada:
        ada.send(said)
        assert eve.shown("#log li", "Ada: ") == f"Ada: {said}"
    assert eve.run("document.querySelector('#log img')") is None


def test_a_browser_gets_compression(eve: Page) -> None:
    assert "permessage-deflate" in eve.run("socket.extensions")


def test_a_long_message_reaches_a_browser_whole(chat: Served, eve: Page) -> None:
    said = "".join(map(chr, range(0x4E00, 0x4E00 + 2_000)))
    with member(chat, "Ada") as ada:
        ada.send(said)
        assert eve.shown("#log li", "Ada: ") == f"Ada: {said}"


def test_a_new_name_joins_and_the_old_one_leaves(chat: Served, eve: Page) -> None:
    with member(chat, "Ada") as ada:
        hears(ada, "* Ada joined")
        eve.type("Eva", into="#name")
        assert eve.shown("#state", "Connected as Eva")
        assert {ada.recv(ANSWER_S), ada.recv(ANSWER_S)} == {"* Eve left", "* Eva joined"}


def test_a_closed_tab_has_left(chat: Served, browser: str) -> None:
    with member(chat, "Ada") as ada:
        with page(browser) as tab:
            tab.open(f"{chat.url}/?name=Eve")
            hears(ada, "* Ada joined", "* Eve joined")
        hears(ada, "* Eve left")


def test_a_page_shows_why_the_server_closed_and_comes_back_with_it(chat: Served, eve: Page) -> None:
    assert chat.stop() == 0
    assert "(code 1012)" in eve.shown("#state", "Disconnected")
    with served(APP, "--port", str(port_of(chat))):
        eve.shown("#state", "Connected")
