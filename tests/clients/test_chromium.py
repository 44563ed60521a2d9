"""A real browser over HTTP/2: pages, fetches, streams, and WebSockets that are streams of the same connection."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.browser import Page, chromium, page
from tests.certificates import local
from tests.clients.secured import SITE, secured
from tests.served import Served

pytestmark = pytest.mark.process

PROTOCOLS = """performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
    .map(entry => entry.nextHopProtocol)"""
# A promise of what a WebSocket hears, in answer to `say`, until there have been `count` messages or it is closed.
TALK = """(url, say, count) => new Promise((resolve, reject) => {
    const socket = new WebSocket(url), heard = [];
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => say.forEach(text => socket.send(text));
    socket.onmessage = ({data}) => {
        heard.push(typeof data === 'string' ? data : data.byteLength);
        if (heard.length === count) socket.close(4001, 'enough');
    };
    socket.onclose = ({code, reason, wasClean}) => resolve({heard, code, reason, wasClean});
})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A browser that trusts the one certificate of the tests, as if somebody had accepted it."""
    key = local().certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    profile = tmp_path_factory.mktemp("profile")
    with chromium(profile, f"--ignore-certificate-errors-spki-list={pin}") as address:
        yield address


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with secured(supervised=True) as server:
        yield server
    assert "Traceback" not in server.log


@pytest.fixture
def tab(browser: str, site: Served) -> Iterator[Page]:
    """A tab that shows a page of the site."""
    with page(browser) as tab:
        tab.open(f"{site.url}/page")
        yield tab


def fetched(tab: Page, url: str, options: str = "{}", part: str = "json") -> Any:
    """Return what a fetch of the page gives."""
    return tab.run(f"fetch({json.dumps(url)}, {options}).then(answer => answer.{part}())")


def talk(tab: Page, site: Served, path: str, say: str = "[]", count: int = 1) -> Any:
    """Open a WebSocket, say these things, and return what was heard and how it ended."""
    url = f"ws{site.url.removeprefix('http')}{path}"
    return tab.run(f"({TALK})({json.dumps(url)}, {say}, {count})")


def test_a_page_and_what_it_links_come_over_http2(tab: Page) -> None:
    assert tab.run("document.title") == "a page"
    fetched(tab, "/bytes?100", part="text")
    assert set(tab.run(PROTOCOLS)) == {"h2"}


def test_a_fetch_is_a_request_of_http2(tab: Page, site: Served) -> None:
    said = fetched(tab, "/caf%C3%A9?q=a%20b")
    assert (said["http_version"], said["scheme"], said["path"], said["query"]) == ("2", "https", "/café", "q=a b")
    assert ["host", site.url.removeprefix("https://")] in said["headers"]
    assert said["tls"]["tls_version"] == 0x0304


def test_the_crumbs_of_cookies_are_one_field(tab: Page) -> None:
    tab.run("[1, 2, 3].forEach(number => document.cookie = `name${number}=${number}`)")
    cookies = [value for name, value in fetched(tab, "/")["headers"] if name == "cookie"]
    assert cookies == ["name1=1; name2=2; name3=3"]


@pytest.mark.parametrize("size", [0, 1, 65_536, 5_000_000])
def test_bodies_go_both_ways(tab: Page, size: int) -> None:
    said = fetched(tab, "/", f"{{method: 'POST', body: new Uint8Array({size}).fill(120)}}")
    assert (said["size"], said["sha256"]) == (size, hashlib.sha256(b"x" * size).hexdigest())
    assert fetched(tab, f"/bytes?{size}", part="blob().then(blob => blob.size).valueOf") == size


def test_a_body_that_is_a_stream_goes_up(tab: Page) -> None:
    stream = "new Blob(['one ', 'two ', 'three']).stream()"
    said = fetched(tab, "/", f"{{method: 'POST', body: {stream}, duplex: 'half'}}")
    assert said["sha256"] == hashlib.sha256(b"one two three").hexdigest()
    assert "content-length" not in dict(said["headers"])


def test_a_form_is_uploaded(tab: Page) -> None:
    form = "(form => (form.append('file', new Blob(['x'.repeat(300000)])), form))(new FormData())"
    said = fetched(tab, "/", f"{{method: 'POST', body: {form}}}")
    assert said["size"] > 300_000
    assert dict(said["headers"])["content-type"].startswith("multipart/form-data; boundary=")


def test_two_hundred_fetches_at_once_are_answered(tab: Page) -> None:
    sizes = tab.run(
        "Promise.all([...Array(200).keys()].map(number => fetch(`/bytes?${number * 50}`)"
        ".then(answer => answer.arrayBuffer()).then(body => body.byteLength)))"
    )
    assert sizes == [number * 50 for number in range(200)]
    assert set(tab.run(PROTOCOLS)) == {"h2"}


def test_a_fetch_that_is_aborted_ends_its_answer_only(tab: Page, site: Served) -> None:
    aborted = """(async () => {
        const abort = new AbortController();
        const reader = (await fetch('/endless', {signal: abort.signal})).body.getReader();
        await reader.read();
        abort.abort();
        return reader.read().catch(error => error.name);
    })()"""
    assert tab.run(aborted) == "AbortError"
    site.wait_for("the endless answer has ended")
    assert fetched(tab, "/bytes?5", part="text") == "01234"


def test_an_answer_that_does_not_wait_for_the_body(tab: Page) -> None:
    assert fetched(tab, "/unread", "{method: 'POST', body: new Uint8Array(1000000)}", part="text") == "not read"


# --- WebSockets -----------------------------------------------------------------------------------------


def test_a_websocket_is_a_stream_of_http2(tab: Page, site: Served) -> None:
    end = talk(tab, site, "/socket?q=1")
    about = json.loads(end["heard"][0])
    assert about == {"http_version": "2", "scheme": "wss", "path": "/socket"}
    assert (end["code"], end["wasClean"]) == (4001, True)
    site.wait_for("a WebSocket has ended with 4001 enough")


def test_messages_come_back_in_order(tab: Page, site: Served) -> None:
    end = talk(tab, site, "/", "[...Array(500).keys()].map(number => `message ${number}`)", 501)
    assert end["heard"][1:] == [f"message {number}" for number in range(500)]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 3_000_000])
def test_binary_messages_come_back(tab: Page, site: Served, size: int) -> None:
    assert talk(tab, site, "/", f"[new Uint8Array({size})]", 2)["heard"][1] == size


def test_a_long_text_is_compressed_and_comes_back(tab: Page, site: Served) -> None:
    text = "schön 🙂 " * 50_000
    assert talk(tab, site, "/", "['schön 🙂 '.repeat(50000)]", 2)["heard"][1] == text
    url = f"ws{site.url.removeprefix('http')}/"
    opened = f"(socket => new Promise(done => socket.onopen = () => done(socket.extensions)))(new WebSocket('{url}'))"
    assert tab.run(opened).startswith("permessage-deflate")


def test_the_application_closes_with_code_and_reason(tab: Page, site: Served) -> None:
    end = talk(tab, site, "/", "['close 4999 why']", 100)
    assert (end["code"], end["reason"], end["wasClean"]) == (4999, "why", True)


def test_a_websocket_that_is_denied_is_not_opened(tab: Page, site: Served) -> None:
    end = talk(tab, site, "/denied")
    assert (end["code"], end["heard"]) == (1006, [])
    assert fetched(tab, "/bytes?5", part="text") == "01234"


def test_websockets_and_fetches_share_the_connection(tab: Page, site: Served) -> None:
    talks = ", ".join(f"({TALK})('ws{site.url.removeprefix('http')}/', ['{number}'], 2)" for number in range(20))
    ends, body = tab.run(f"Promise.all([Promise.all([{talks}]), fetch('/bytes?100000').then(a => a.text())])")
    assert [end["heard"][1] for end in ends] == [str(number) for number in range(20)]
    assert {json.loads(end["heard"][0])["http_version"] for end in ends} == {"2"}
    assert len(body) == 100_000


def test_a_tab_that_is_closed_takes_its_websockets_with_it(browser: str, site: Served) -> None:
    with page(browser) as tab:
        tab.open(f"{site.url}/page")
        url = f"ws{site.url.removeprefix('http')}/"
        tab.run(f"(socket => new Promise(done => socket.onmessage = () => done(1)))(new WebSocket('{url}'))")
    site.wait_for("a WebSocket has ended with 100[16]")  # the stream is reset, without a close frame


def test_without_http2_a_websocket_comes_over_tls(browser: str) -> None:
    with secured(SITE, "--no-http2") as server, page(browser) as tab:
        tab.open(f"{server.url}/page")
        assert set(tab.run(PROTOCOLS)) == {"http/1.1"}
        end = talk(tab, server, "/")
        assert json.loads(end["heard"][0])["http_version"] == "1.1"
        assert (end["code"], end["wasClean"]) == (4001, True)
