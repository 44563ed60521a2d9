"""Responses with a body that is known."""

import dataclasses
import json
import math
from collections import OrderedDict, defaultdict, namedtuple
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, IntEnum
from typing import Any
from unittest import mock
from uuid import UUID

import msgspec
import pytest
from tests.asking import ask

from portico.web import responses
from portico.web.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response


def test_a_text_has_length_and_charset() -> None:
    answer = ask(PlainTextResponse("é"))
    assert answer.messages[0]["headers"] == [
        (b"content-length", b"2"),
        (b"content-type", b"text/plain; charset=utf-8"),
    ]
    assert answer.body == "é".encode()


@pytest.mark.parametrize("length", [0, 1, 1023, 1024, 100_000])
def test_every_length_is_written(length: int) -> None:
    assert Response(b"x" * length).headers["content-length"] == str(length)


@pytest.mark.parametrize("status", [100, 199, 204, 304])
def test_a_status_without_body_has_no_length(status: int) -> None:
    assert Response(status_code=status).raw_headers == []


def test_what_is_given_is_not_added_again() -> None:
    response = PlainTextResponse("x", headers={"Content-Type": "a/b", "CONTENT-LENGTH": "1", "X-A": "ä"})
    assert response.raw_headers == [(b"content-type", b"a/b"), (b"content-length", b"1"), (b"x-a", b"\xe4")]


def test_two_responses_share_no_fields() -> None:
    first, second = HTMLResponse("x"), HTMLResponse("x")
    first.headers["content-length"] = "7"
    first.headers["x-a"] = "b"
    assert second.headers["content-length"] == "1"
    assert "x-a" not in second.headers


def test_fields_changed_by_name_are_those_that_are_sent() -> None:
    response = PlainTextResponse("x")
    response.headers.raw.append((b"x-a", b"b"))
    response.raw_headers.append((b"x-c", b"d"))
    assert (response.headers["x-c"], ask(response).fields["x-a"]) == ("d", "b")


def test_a_subclass_may_render_and_make_fields_itself() -> None:
    class Shouted(Response):
        media_type = "text/loud"
        charset = "latin-1"

        def render(self, content: str) -> bytes:
            return content.upper().encode(self.charset)

        def init_headers(self, headers: Any = None) -> None:
            super().init_headers({"x-loud": "1", **(headers or {})})

    answer = ask(Shouted("hey"))
    assert answer.body == b"HEY"
    assert answer.fields["content-type"] == "text/loud; charset=latin-1"
    assert answer.fields["x-loud"] == "1"


def test_media_types_of_clients_do_not_fill_the_memory() -> None:
    from portico.web.responses import content

    for number in range(1000):
        assert Response(b"", media_type=f"a/{number}").headers["content-type"] == f"a/{number}"
    assert len(content._content_types) <= 256


def test_a_websocket_is_refused_with_a_response() -> None:
    answer = ask(PlainTextResponse("no", 403), type="websocket")
    assert answer.kinds == ["websocket.http.response.start", "websocket.http.response.body"]
    assert answer.status == 403


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/a b?x=ä#y", "/a%20b?x=%C3%A4#y"),
        ("https://h/%20", "https://h/%20"),
        ("/a\r\nSet-Cookie: x", "/a%0D%0ASet-Cookie:%20x"),
    ],
)
def test_a_redirect_quotes_what_a_url_may_not_have(url: str, location: str) -> None:
    assert RedirectResponse(url).headers["location"] == location


def test_a_cookie_cannot_break_its_field() -> None:
    response = Response()
    for arguments in ({"value": "a\r\nb"}, {"path": "/;x"}, {"domain": "a\0"}, {"key": "a=b"}):
        with pytest.raises(ValueError, match="cookie"):
            response.set_cookie(**{"key": "k", **arguments})  # type: ignore[arg-type]
    assert "set-cookie" not in response.headers


def test_a_cookie_may_be_partitioned_on_every_version_of_python() -> None:
    response = Response()
    response.set_cookie("a", "b", secure=True, partitioned=True)
    assert response.headers["set-cookie"] == "a=b; Partitioned; Path=/; SameSite=lax; Secure"
    response.delete_cookie("a", secure=True, partitioned=True)
    assert "Max-Age=0; Partitioned" in response.headers.getlist("set-cookie")[1]


def test_a_cookie_ends_at_an_instant_in_any_time_zone() -> None:
    instant = datetime(2037, 1, 22, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    for expires in (instant, instant.astimezone(UTC)):
        response = Response()
        response.set_cookie("a", "b", expires=expires)
        assert "expires=Thu, 22 Jan 2037 12:00:00 GMT" in response.headers["set-cookie"]
    with pytest.raises(ValueError, match="time zone"):
        Response().set_cookie("a", "b", expires=datetime(2037, 1, 22))


Pair = namedtuple("Pair", "left right")


class Colour(Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Text(str):
    pass


def by_stdlib(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "content",
    [
        None,
        True,
        1.5,
        -0.0,
        2**64,
        -(2**70),
        "".join(map(chr, range(0x250))),
        "\u2028😀",
        [],
        {},
        {"a": [1, 2.5, None, {"b": ()}], "c": "null"},
        {1: 2, 1.5: 3},
        {None: 1, True: 2},
        OrderedDict(a=1),
        defaultdict(list, a=[1.5, None]),
        Pair(1, None),
        Text("x"),
        {Text("k"): Text("v")},
        Number.ONE,
        [[[[[]]]]] * 3,
        {"price": 1.5, "tax": None},
    ],
)
def test_json_is_what_the_standard_library_writes(content: Any) -> None:
    assert JSONResponse(content).body == by_stdlib(content)


@pytest.mark.parametrize("number", [1e16, 1e-7, 1e300, 5e-324, 123456789012345680.0, 0.1 + 0.2])
def test_json_numbers_are_equal_if_not_by_the_character(number: float) -> None:
    assert json.loads(JSONResponse([number]).body) == [number]


@dataclasses.dataclass
class Item:
    name: str
    price: float | None = None


class Record(msgspec.Struct):
    key: int


def test_json_has_more_than_the_standard_library() -> None:
    content = {
        "item": Item("x"),
        "record": Record(1),
        "when": datetime(2026, 1, 2, tzinfo=UTC),
        "id": UUID(int=1),
        "set": {1},
        "colour": Colour.RED,
    }
    assert json.loads(JSONResponse(content).body) == {
        "item": {"name": "x", "price": None},
        "record": {"key": 1},
        "when": "2026-01-02T00:00:00Z",
        "id": "00000000-0000-0000-0000-000000000001",
        "set": [1],
        "colour": "red",
    }


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: [x], lambda x: {"a": {"b": (None, x)}}, lambda x: Item("n", x)]
)
def test_json_has_no_nan(wrap: Any, number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        JSONResponse(wrap(number))


@pytest.mark.parametrize(
    "content", [b"x", [b"x"], {"a": [{"b": b"x"}]}, {b"k": 1}, bytearray(b"x"), defaultdict(int, a=b"x")]
)
def test_json_has_no_bytes(content: Any) -> None:
    with pytest.raises(TypeError):
        JSONResponse(content)


def test_json_refuses_what_it_has_no_form_for() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        JSONResponse({"a": object()})
    with pytest.raises(ValueError, match="surrogates"):
        JSONResponse("\ud800")
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        JSONResponse(circle)


def test_an_encoder_that_a_program_puts_in_place_is_used() -> None:
    with mock.patch.object(responses.json, "dumps", wraps=json.dumps) as dumps:
        assert JSONResponse({"a": 1}).body == b'{"a":1}'
    dumps.assert_called_once()


def test_a_response_may_set_itself_up_from_its_fields_alone() -> None:
    class Streamed(Response):
        def __init__(self) -> None:
            self.media_type = "text/csv"
            self.background = None
            self.init_headers({"x-a": "1"})
            self.headers["x-b"] = "2"
            self.status_code = 206

    answer = Streamed()
    assert answer.raw_headers == [
        (b"x-a", b"1"),
        (b"content-type", b"text/csv; charset=utf-8"),
        (b"x-b", b"2"),
    ]
