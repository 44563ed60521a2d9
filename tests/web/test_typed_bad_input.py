"""What clients can send wrong outside the body: each gets a 4xx in its usual shape, and nothing is ever a 500."""

import asyncio
from urllib.parse import quote

import pytest
from tests.web.badinput import VALID_PATH, Headers, check_shape, make_app, problems, raw_headers, send

from portico.asgi import Message
from portico.web import Portico


@pytest.fixture(scope="module")
def app() -> Portico:
    return make_app()


TEXTS = {
    "empty": "",
    "a space": " ",
    "a word": "x",
    "NUL": "\0",
    "line ends": "\r\n",
    "huge digits": "9" * 5000,
    "huge exponent": "1e999999999",
    "tiny exponent": "1e-999999999",
    "NaN": "nan",
    "sNaN": "sNaN",
    "infinity": "-inf",
    "underscores": "1_0_0_",
    "hexadecimal": "0x1",
    "other digits": "\u0661\u0662x",
    "a list": "[1]",
    "half a surrogate pair": "\udc80",
    "beyond the plane": "\U0010ffff",
    "a date far away": "999999-99-99T99:99:99Z",
    "a zone far away": "2020-01-01T00:00:00+99:99",
    "a huge time": "9" * 30,
    "a long text": "a" * 100_000,
    "a format": "{0.__class__}%s%n${x}",
    "null": "null",
}


QUERY = ("number", "numbers", "ratio", "price", "flag", "colour", "kind", "at", "lasts", "id", "a-text")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_path_parameters(app: Portico, text: str) -> None:
    for place in range(len(VALID_PATH)):
        parts = [*VALID_PATH[:place], text, *VALID_PATH[place + 1 :]]
        answer = send(app, "/path/" + "/".join(parts))
        if answer.status != 200:  # an infinity is a float
            check_shape(answer)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_path_texts(app: Portico, text: str) -> None:
    answer = send(app, f"/text/{text}")
    if answer.status != 307:  # an empty one belongs to `/text`
        assert (answer.status == 200) is (text in ("x", "nan", "null"))
        if answer.status != 200:
            check_shape(answer)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_query_parameters(app: Portico, text: str) -> None:
    value = quote(text, errors="surrogateescape")
    for name in QUERY:
        answer = send(app, "/query", f"number=1&numbers=2&{name}={value}")
        if answer.status != 200:
            assert {place.split(".")[1] for place, _ in problems(answer)} == {name}


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"number",
        b"&&&===&",
        b"number=1",
        b"numbers=1",
        b"number=1&numbers=",
        b"number=%&numbers=%zz",
        b"number=1&numbers=%ff%fe%00",
        b"\xff\xfe=\xff&number=\xff",
        b"number=1;numbers=2",
        b"number[]=1&numbers[]=2",
        b"number=1&number=x&numbers=2",
        b"+=+&" * 1000,
        b"&".join(b"numbers=%d" % n for n in range(5000)) + b"&number=x",
        b"&".join(b"p%d=" % n for n in range(20_000)),
        b"number=" + b"1" * 100_000 + b"&numbers=1",
    ],
)
def test_query_strings(app: Portico, query: bytes) -> None:
    check_shape(send(app, "/query", query))


def test_a_parameter_that_is_repeated_has_the_last_value(app: Portico) -> None:
    assert problems(send(app, "/query", "number=1&number=x&numbers=2")) == {("query.number", "int_parsing")}
    assert send(app, "/query", "number=x&number=1&numbers=2").status == 200


def test_each_of_many_wrong_values_is_named(app: Portico) -> None:
    answer = send(app, "/query", "number=1&" + "&".join(["numbers=x"] * 1000))
    assert len(problems(answer)) == 1000


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", {("query.limit", "greater_than")}),
        ("limit=&tags=", {("query.limit", "int_parsing")}),
        ("other=1", {("query.other", "extra_forbidden")}),
        ("limit=1&limit=2&x%00=%ff", {("query.x\0", "extra_forbidden")}),
    ],
)
def test_models_of_the_query(app: Portico, query: str, expected: set[tuple[str, str]]) -> None:
    assert problems(send(app, "/filters", query)) == expected


@pytest.mark.parametrize("value", [b"", b" ", b"x", b"\xff\x80", b"9" * 10_000, b"1, 2", b"\x001", b"1e3", b"\t"])
def test_headers(app: Portico, value: bytes) -> None:
    answer = send(app, "/headers", headers=[("x-count", value), ("x-many", "1")])
    assert {place for place, _ in problems(answer)} == {"header.x-count"}
    answer = send(app, "/headers", headers=[("x-count", "1"), ("x-many", "1"), ("x-many", value)])
    assert {place for place, _ in problems(answer)} == {"header.x-many.1"}
    answer = send(app, "/headers", headers=[("x-count", "1"), ("x-many", "1"), ("x-when", value)])
    check_shape(answer)
    check_shape(send(app, "/header-model", headers=[("x-token", value), ("x-count", value)]))


def test_headers_that_are_missing(app: Portico) -> None:
    assert problems(send(app, "/headers")) == {("header.x-count", "missing"), ("header.x-many", "missing")}
    assert {kind for _, kind in problems(send(app, "/header-model"))} == {"missing"}


@pytest.mark.parametrize(
    "cookie",
    [
        b"",
        b";;;",
        b"=",
        b"visits",
        b"visits=",
        b'visits="',
        b'visits="\\',
        b'visits="\\777"',
        b"visits=1; visits=x",
        b"visits=\xff\xfe; session=\x00",
        b"visits=1; session=not-a-uuid",
        b"session=" + b"a" * 50_000,
        b"a=b; " * 5000,
    ],
)
def test_cookies(app: Portico, cookie: bytes) -> None:
    check_shape(send(app, "/cookies", headers=[("cookie", cookie)]))
    check_shape(send(app, "/cookie-model", headers=[("cookie", cookie)]))
    check_shape(send(app, "/cookies", headers=[("cookie", cookie), ("cookie", cookie)]))


@pytest.mark.parametrize("query", ["", "limit=x&wanted=", "limit=-1&wanted=%00", "limit=1&limit=-1&wanted=1e400"])
def test_parameters_of_dependencies(app: Portico, query: str) -> None:
    check_shape(send(app, "/depends", query))


@pytest.mark.parametrize("path", ["/basic", "/bearer", "/key"])
@pytest.mark.parametrize(
    "value", [b"", b" ", b"Basic", b"Bearer", b"Basic \xff", b"Bearer \xff", b"Basic YQ==", b"Basic \0", b"," * 10_000]
)
def test_credentials(app: Portico, path: str, value: bytes) -> None:
    answer = send(app, path, headers=[("authorization", value)])
    assert answer.status == 401
    assert answer.detail == "Not authenticated"
    assert answer.headers["www-authenticate"].split()[0] in ("Basic", "Bearer", "APIKey")


@pytest.mark.parametrize(
    "path", ["", "/", "//", "/nowhere", "/item/", "/path/1", "/\0", "/\udc80", "/%2f", "*", "/ws/1"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "TRACE", "get", "", "M-SEARCH"])
def test_paths_and_methods_that_nobody_serves(app: Portico, path: str, method: str) -> None:
    answer = send(app, path, method=method)
    if answer.status == 307:
        assert answer.headers["location"] == "/item"  # never another host's
    else:
        check_shape(answer)


@pytest.mark.parametrize(
    ("room", "query", "headers"),
    [
        ("x", "q=1", [("x-count", "1"), ("cookie", "visits=1")]),
        ("1", "q=", [("x-count", "1"), ("cookie", "visits=1")]),
        ("1", "q=1", [("x-count", b"\xff"), ("cookie", "visits=1")]),
        ("1", "q=1", [("x-count", "1"), ("cookie", b"visits=\x00\xff")]),
        ("9" * 5000, "q=%ff", [("x-count", "9" * 5000)]),
        ("\udc80\0", "", []),
    ],
)
def test_websockets_are_refused_with_a_reason_that_can_be_sent(
    app: Portico, room: str, query: str, headers: Headers
) -> None:
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "scheme": "ws",
        "path": f"/ws/{room}",
        "query_string": query.encode(),
        "root_path": "",
        "headers": raw_headers(headers),
        "subprotocols": [],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def keep(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, keep))
    (message,) = sent
    assert message["type"] == "websocket.close"
    assert message["code"] == 1008
    assert 0 < len(message["reason"].encode()) <= 123
