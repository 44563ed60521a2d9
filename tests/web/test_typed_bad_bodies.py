"""What clients can send wrong in a body: each gets a 4xx in its usual shape, and nothing is ever a 500."""

import json
import random

import pytest
from tests.web.badinput import (
    END,
    ITEM,
    JSON,
    MULTIPART,
    URLENCODED,
    VALID_PATH,
    Headers,
    check_shape,
    exchange,
    make_app,
    part,
    problems,
    send,
)

from portico.asgi import Message
from portico.web import Portico


@pytest.fixture(scope="module")
def app() -> Portico:
    return make_app()


DEEP = 100_000
BODIES: dict[str, bytes | str] = {
    "nothing": b"",
    "a space": b" ",
    "no JSON": b"{",
    "half a text": b'"abc',
    "a trailing comma": b"[1,]",
    "two values": b"1 2",
    "single quotes": b"{'a': 1}",
    "a comment": b"/* */ {}",
    "null": b"null",
    "true": b"true",
    "a word": b"undefined",
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a list with NaN": b"[NaN, Infinity]",
    "an object with NaN": b'{"name": NaN, "price": -Infinity, "number": NaN, "part": NaN, "type": NaN}',
    "an integer": b"7",
    "a huge integer": b"9" * 5000,
    "a huge integer within": b'{"number": ' + b"9" * 5000 + b', "children": [], "name": 1}',
    "an integer of 4000 digits": b"9" * 4000,
    "a huge exponent": b"1e999999",
    "a huge exponent within": b'{"number": 1e999999, "price": 1e999999, "lives": 1e99, "type": "cat"}',
    "a text": b'"text"',
    "NUL in a text": b'"\\u0000"',
    "NUL": b"\0",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "UTF-32": '{"name": "x"}'.encode("utf-32"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "half a surrogate pair": b'"\\ud800"',
    "half a surrogate pair within": b'{"name": "\\ud800", "part": "\\udfff", "type": "\\ud800", "children": "\\ud800"}',
    "half a surrogate pair as a key": b'{"\\ud800": 1}',
    "half a surrogate pair in its bytes": b'{"number": 1, "name": "\xed\xa0\x80"}',
    "half a surrogate pair in UTF-16": '{"number": 1, "name": "\ud800"}'.encode("utf-16", "surrogatepass"),
    "a deep list": b"[" * DEEP + b"]" * DEEP,
    "a list too deep and open": b"[" * DEEP,
    "a deep object": b'{"children":' * DEEP + b"1" + b"}" * DEEP,
    "a deep tree": b'{"children":[' * 400 + b"1" + b"]}" * 400,
    "a deeper tree": b'{"children":[' * 2000 + b"1" + b"]}" * 2000,
    "a list of lists": b"[" * 300 + b"]" * 300,
    "a list of more lists": b"[" * 900 + b"]" * 900,
    "many wrong values": b"[" + b'"x",' * 3000 + b"1]",
    "a key twice": b'{"number": 1, "number": "x", "type": "cat", "type": "dog"}',
    "many keys": b"{" + b",".join(b'"k%d":1' % n for n in range(5000)) + b"}",
    "a key that is empty": b'{"": {"": []}}',
    "an unknown tag": b'{"type": "cow"}',
    "a tag that is a list": b'{"type": ["cat"]}',
    "a value of its validator": json.dumps({**ITEM, "kind": "b"}),
    "a pair of three": json.dumps({**ITEM, "pair": [1, "a", 2]}),
    "lists in a set": json.dumps({**ITEM, "tags": [[1], {"a": 1}]}),
    "bytes that are none": json.dumps({**ITEM, "raw": [1]}),
    "a time that is a huge number": json.dumps({**ITEM, "at": 1e300, "day": -1e300, "lasts": 1e300}),
    "a time that is a huge integer": json.dumps({**ITEM, "at": 10**400, "day": 10**400, "lasts": 10**400}),
    "a decimal that is a huge integer": json.dumps({**ITEM, "price": 10**4000}),
    "a decimal with a huge exponent": json.dumps({**ITEM, "price": "1e999999999"}),
    "a decimal that is a trap": json.dumps({**ITEM, "price": "sNaN"}),
    "a text that is too long": json.dumps({**ITEM, "name": "a" * 1_000_000}),
    "wrong members": json.dumps({**ITEM, "parts": [{"number": []}, 1, None], "by_name": {"\0": {"number": "x"}}}),
    "members that are no objects": b'{"item": 1, "part": [], "count": {}, "weights": null}',
    "class attributes": b'{"__class__": {"__init__": 1}, "_sa_x": 1, "__proto__": {}}',
}
JSON_PATHS = [
    "/item",
    "/two",
    "/embedded",
    "/list",
    "/map",
    "/tree",
    "/dataclass",
    "/typed-dict",
    "/struct",
    "/pet",
    "/union",
    "/number",
    "/text",
]


def suits(path: str, name: str) -> bool:
    """Tell whether a body of the table is right for the endpoint after all."""
    return (path, name) in {
        ("/number", "an integer"),
        ("/number", "true"),
        ("/number", "an integer of 4000 digits"),
        ("/text", "a text"),
        ("/text", "NUL in a text"),
        ("/tree", "class attributes"),
        ("/tree", "a key that is empty"),
        ("/tree", "many keys"),
        ("/tree", "a key twice"),
        ("/tree", "an unknown tag"),
        ("/tree", "a tag that is a list"),
        ("/tree", "members that are no objects"),
        ("/tree", "an object with NaN"),
        ("/tree", "not UTF-8"),
        ("/tree", "a byte order mark"),
        ("/map", "a byte order mark"),
        ("/tree", "UTF-16"),
        ("/tree", "UTF-32"),
        ("/tree", "a huge exponent within"),
    } or (path == "/tree" and isinstance(BODIES[name], str))


@pytest.mark.parametrize("name", BODIES)
def test_json_bodies(app: Portico, name: str) -> None:
    for path in JSON_PATHS:
        answer = send(app, path, headers=JSON, body=BODIES[name])
        if answer.status != 200:
            check_shape(answer)
        else:
            assert suits(path, name)


def test_problems_of_a_body_name_their_places(app: Portico) -> None:
    body = json.dumps({**ITEM, "price": "1.234", "parts": [{"number": 1}, {"number": "x"}], "kind": "b"})
    assert problems(send(app, "/item", headers=JSON, body=body)) == {
        ("body.price", "decimal_max_places"),
        ("body.parts.1.number", "int_parsing"),
        ("body.kind", "value_error"),
    }
    assert problems(send(app, "/two", headers=JSON, body=b'{"part": {}, "count": "x"}')) == {
        ("body.item", "missing"),
        ("body.part.number", "missing"),
        ("body.count", "int_parsing"),
    }


def test_text_that_is_no_json_is_a_problem_at_its_position(app: Portico) -> None:
    assert problems(send(app, "/item", headers=JSON, body=b'{"name": }')) == {("body.9", "json_invalid")}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        " ",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "application/jsonx",
        "application/",
        "/json",
        "application",
        "application/json/x+json",
        ";;;",
        "application/xml; charset=json",
        "\xff\xfe/json",
        "a" * 10_000,
        "text/plain; x=application/json",
    ],
)
def test_content_types_that_are_not_json(app: Portico, content_type: str | None) -> None:
    headers: Headers = [] if content_type is None else [("content-type", content_type)]
    for path in JSON_PATHS:
        answer = send(app, path, headers=headers, body=json.dumps(ITEM))
        if path != "/text" or answer.status != 200:  # whatever is not read as JSON is a text
            check_shape(answer)


FORMS: dict[str, bytes] = {
    "nothing": b"",
    "names alone": b"user&age&tags",
    "empty values": b"user=&age=&tags=",
    "bad escapes": b"user=%&age=%zz&tags=%f",
    "not UTF-8": b"user=\xff%ff&age=%ff&tags=1",
    "NUL": b"user=%00&age=%00&tags=%00",
    "separators": b"&&&&====&&&",
    "a huge integer": b"user=a&tags=1&age=" + b"9" * 5000,
    "wrong elements": b"user=a&age=x&tags=1&tags=x&tags=",
    "too many fields": b"&".join([b"tags=1"] * 1001),
    "a huge field": b"user=" + b"a" * (1 << 20) + b"&age=x",
    "JSON": json.dumps(ITEM).encode(),
    "half a surrogate pair": b"user=%ED%A0%80&age=%ED%A0%80",
}
FORM_PATHS = ["/form", "/form-model", "/files", "/login"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_forms(app: Portico, form: bytes) -> None:
    for path in FORM_PATHS:
        check_shape(send(app, path, headers=URLENCODED, body=form))


PARTS: dict[str, bytes] = {
    "nothing": b"",
    "no part": END,
    "no end": part("user", b"a"),
    "half a part": b"--b\r\nContent-Disposition: form-data; na",
    "no boundary": b"user=a",
    "another boundary": part("user", b"a").replace(b"--b", b"--c") + b"--c--\r\n",
    "no disposition": b"--b\r\nX-Y: z\r\n\r\na\r\n" + END,
    "no name": b"--b\r\nContent-Disposition: form-data\r\n\r\na\r\n" + END,
    "a bad field": b"--b\r\nNo colon here\r\n\r\na\r\n" + END,
    "not UTF-8": part("user", b"\xff\xfe") + part("age", b"\xff") + part("note", b"\xff") + END,
    "a bad charset": part("user", b"a", "\r\nContent-Type: text/plain; charset=nope") + END,
    "a file for a text": part("user", b"a", '; filename="f"') + part("age", b"1", '; filename="f"') + END,
    "a text for a file": part("one", b"a") + part("many", b"b") + part("content", b"c") + part("note", b"1") + END,
    "binary content": part("content", b"\xff\0", '; filename="f"') + part("note", b"\xff", '; filename="f"') + END,
    "a file without name": part("one", b"", '; filename=""') + part("many", b"", '; filename=""') + END,
    "a path for a filename": part("one", b"a", '; filename="../../../etc/passwd\\0"') + END,
    "the same file twice": part("one", b"a", '; filename="f"') * 2 + part("note", b"x") + END,
    "too many files": part("many", b"", '; filename="f"') * 1001 + END,
    "too many fields": part("user", b"") * 1001 + END,
    "a huge field": part("user", b"a" * ((1 << 20) + 1)) + END,
    "a long header": part("user", b"a", '; x="' + "y" * 100_000 + '"') + END,
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_multipart_forms(app: Portico, parts: bytes) -> None:
    for path in FORM_PATHS:
        check_shape(send(app, path, headers=MULTIPART, body=parts))


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="', "text/plain", ""],
)
def test_content_types_that_are_no_form(app: Portico, content_type: str) -> None:
    for path in FORM_PATHS:
        check_shape(send(app, path, headers=[("content-type", content_type)], body=part("user", b"a") + END))


@pytest.mark.parametrize("path", ["/item", "/two", "/form", "/files"])
def test_a_client_that_goes_away_in_the_middle_of_a_body_is_no_error(app: Portico, path: str) -> None:
    headers = {"/form": URLENCODED, "/files": MULTIPART}.get(path, JSON)
    half: Message = {"type": "http.request", "body": part("one", b"a")[:20], "more_body": True}
    for messages in ([], [half], [half, half]):
        sent = exchange(app, path, "", headers, [*messages], "POST")
        assert not sent or sent[0]["status"] < 500


@pytest.mark.parametrize("size", [1, 7])
def test_a_body_may_come_in_pieces(app: Portico, size: int) -> None:
    for path, query, headers, body in VALID.values():
        if body is not None:
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            messages: list[Message] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
            messages.append({"type": "http.request"})
            assert exchange(app, path, query, headers, messages, "POST")[0]["status"] == 200


VALID: dict[str, tuple[str, str, Headers, bytes | None]] = {
    "path": ("/path/" + "/".join(VALID_PATH), "", [], None),
    "query": ("/query", "number=1&numbers=2&at=2020-01-01&lasts=P1D&a-text=x&price=1.5&flag=true", [], None),
    "headers": ("/headers", "", [("x-count", "1"), ("x-many", "1")], None),
    "cookies": ("/cookies", "", [("cookie", "visits=1; session=" + VALID_PATH[3])], None),
    "item": ("/item", "", JSON, json.dumps({**ITEM, "parts": [{"number": 1}], "day": "2020-01-01"}).encode()),
    "two": ("/two", "", JSON, json.dumps({"item": ITEM, "part": {"number": 1}, "count": 2}).encode()),
    "form": ("/form", "", URLENCODED, b"user=a&age=1&tags=1&tags=2"),
    "files": (
        "/files",
        "",
        MULTIPART,
        part("one", b"a", '; filename="f"')
        + part("many", b"b", '; filename="g"')
        + part("content", b"c", '; filename="h"')
        + part("note", b"1")
        + END,
    ),
}


@pytest.mark.parametrize("name", VALID)
def test_what_is_valid_is_accepted(app: Portico, name: str) -> None:
    path, query, headers, body = VALID[name]
    answer = send(app, path, query, headers, body)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("name", VALID)
def test_bytes_that_are_changed_at_random_are_accepted_or_refused(app: Portico, name: str) -> None:
    chance = random.Random(name)
    path, query, headers, body = VALID[name]
    for _ in range(150):
        changed_headers: Headers = [
            (field, _changed(chance, value.encode("latin-1") if isinstance(value, str) else value))
            if chance.random() < 0.3
            else (field, value)
            for field, value in headers
        ]
        answer = send(
            app,
            "/" + _changed(chance, path[1:].encode()).decode("utf-8", "surrogateescape"),
            _changed(chance, query.encode()),
            changed_headers,
            None if body is None else _changed(chance, body),
        )
        if answer.status not in (200, 307):
            check_shape(answer)


PIECES = (b"\0", b"\xff", b"%", b"&", b"=", b'"', b"{", b"[", b"-", b"9" * 50, b"\r\n", b"e9", b"")


def _changed(chance: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few cut out, put in or replaced; often as they are."""
    changed = bytearray(data)
    for _ in range(chance.choice((0, 0, 1, 2, 5))):
        at = chance.randrange(len(changed) + 1)
        piece = chance.choice(
            (b"\0", b"\xff", b"%", b"&", b"=", b'"', b"{", b"[", b"-", b"9" * 50, b"\r\n", b"e9", b"")
        )
        changed[at : at + chance.choice((0, 1, 3))] = piece
    return bytes(changed)
