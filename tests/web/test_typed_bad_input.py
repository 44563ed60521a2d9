"""What a client can send wrong to typed endpoints: each gets a 4xx in its usual shape, and nothing is ever a 500."""

import asyncio
import json
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, StringConstraints, field_validator

from portico.asgi import Message
from portico.web import (
    Body,
    Cookie,
    Depends,
    File,
    Form,
    Header,
    Path,
    Portico,
    Query,
    Security,
    UploadFile,
    WebSocket,
)
from portico.web.security import (
    APIKeyHeader,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    OAuth2PasswordRequestForm,
    SecurityScopes,
)

Headers = list[tuple[str, str | bytes]]

JSON: Headers = [("content-type", "application/json")]
URLENCODED: Headers = [("content-type", "application/x-www-form-urlencoded")]
MULTIPART: Headers = [("content-type", "multipart/form-data; boundary=b")]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    number: int
    weight: float = 1.0


class Item(BaseModel):
    name: Annotated[str, StringConstraints(min_length=2, max_length=10, pattern="^[a-z]+$")]
    price: Annotated[Decimal, Field(max_digits=8, decimal_places=2)]
    at: datetime
    day: date | None = None
    lasts: timedelta | None = None
    id: UUID | None = None
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] = "a"
    parts: list[Part] = []
    by_name: dict[str, Part] = {}
    pair: tuple[int, str] | None = None
    tags: set[int] = set()
    raw: bytes = b""

    @field_validator("kind")
    @classmethod
    def no_b(cls, value: str) -> str:
        if value == "b":
            raise ValueError("b is not for sale")
        return value


class Tree(BaseModel):
    children: list["Tree"] = []


class Cat(BaseModel):
    type: Literal["cat"]
    lives: int


class Dog(BaseModel):
    type: Literal["dog"]
    tricks: list[str]


class Filters(BaseModel):
    model_config = {"extra": "forbid"}

    limit: Annotated[int, Field(gt=0, le=100)] = 10
    tags: list[str] = []


class Fields(BaseModel):
    x_token: str
    x_count: int = 0


class Cookies(BaseModel):
    session: UUID
    visits: int = 0


class Signup(BaseModel):
    user: Annotated[str, Field(min_length=1)]
    age: int
    emails: list[str] = []


async def needs_scopes(scopes: SecurityScopes, wanted: Annotated[int, Query()]) -> int:
    return wanted


async def opened(limit: Annotated[int, Query(ge=0)]) -> Any:
    yield limit


def make_app() -> Portico:
    app = Portico()

    @app.get("/path/{number}/{ratio}/{colour}/{id}/{at}/{flag}")
    async def _path(
        number: Annotated[int, Path(gt=0)], ratio: float, colour: Colour, id: UUID, at: datetime, flag: bool
    ) -> Any:
        return {}

    @app.get("/text/{text}")
    async def _text(text: Annotated[str, Path(max_length=5, pattern="^[a-z]+$")]) -> Any:
        return {}

    @app.get("/query")
    async def _query(
        number: int,
        numbers: Annotated[list[int], Query()],
        ratio: float = 0.0,
        price: Decimal = Decimal(),
        flag: bool = False,
        colour: Colour = Colour.RED,
        kind: Literal["a", "b"] = "a",
        at: datetime | None = None,
        lasts: timedelta | None = None,
        id: UUID | None = None,
        text: Annotated[str, Query(alias="a-text", min_length=1, max_length=5)] = "x",
    ) -> Any:
        return {}

    @app.get("/filters")
    async def _filters(filters: Annotated[Filters, Query()]) -> Any:
        return {}

    @app.get("/headers")
    async def _headers(
        x_count: Annotated[int, Header()],
        x_many: Annotated[list[int], Header()],
        x_when: Annotated[datetime | None, Header()] = None,
    ) -> Any:
        return {}

    @app.get("/header-model")
    async def _header_model(fields: Annotated[Fields, Header()]) -> Any:
        return {}

    @app.get("/cookies")
    async def _cookies(visits: Annotated[int, Cookie()], session: Annotated[UUID, Cookie()]) -> Any:
        return {}

    @app.get("/cookie-model")
    async def _cookie_model(cookies: Annotated[Cookies, Cookie()]) -> Any:
        return {}

    @app.post("/item")
    async def _item(item: Item) -> Any:
        return {}

    @app.post("/two")
    def _two(item: Item, part: Part, count: Annotated[int, Body()]) -> Any:
        return {}

    @app.post("/embedded")
    async def _embedded(part: Annotated[Part, Body(embed=True)]) -> Any:
        return {}

    @app.post("/list")
    async def _list(numbers: list[int]) -> Any:
        return {}

    @app.post("/map")
    async def _map(weights: dict[int, float]) -> Any:
        return {}

    @app.post("/tree")
    async def _tree(tree: Tree) -> Any:
        return {}

    @app.post("/pet")
    async def _pet(pet: Annotated[Cat | Dog, Body(discriminator="type")]) -> Any:
        return {}

    @app.post("/union")
    async def _union(value: Cat | Dog | list[int]) -> Any:
        return {}

    @app.post("/number")
    async def _number(number: Annotated[int, Body()]) -> Any:
        return {}

    @app.post("/text")
    async def _body_text(text: Annotated[str, Body()]) -> Any:
        return {}

    @app.post("/form")
    async def _form(
        user: Annotated[str, Form(min_length=1)], age: Annotated[int, Form()], tags: Annotated[list[int], Form()]
    ) -> Any:
        return {}

    @app.post("/form-model")
    async def _form_model(signup: Annotated[Signup, Form()]) -> Any:
        return {}

    @app.post("/files")
    async def _files(
        one: UploadFile, many: list[UploadFile], content: Annotated[bytes, File()], note: Annotated[int, Form()]
    ) -> Any:
        return {}

    @app.post("/login")
    async def _login(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Any:
        return {}

    @app.get("/depends")
    async def _depends(
        limit: Annotated[int, Depends(opened)], wanted: Annotated[int, Security(needs_scopes, scopes=["a"])]
    ) -> Any:
        return {}

    @app.get("/basic")
    async def _basic(who: Annotated[HTTPBasicCredentials, Depends(HTTPBasic(realm="r"))]) -> Any:
        return {}

    @app.get("/bearer")
    async def _bearer(token: Annotated[Any, Depends(HTTPBearer())]) -> Any:
        return {}

    @app.get("/key")
    async def _key(key: Annotated[str, Depends(APIKeyHeader(name="x-key"))]) -> Any:
        return {}

    @app.websocket("/ws/{room}")
    async def _ws(
        websocket: WebSocket,
        room: int,
        q: Annotated[int, Query()],
        x_count: Annotated[int, Header()],
        visits: Annotated[int, Cookie()],
    ) -> None:
        await websocket.accept()
        await websocket.close()

    return app


@pytest.fixture(scope="module")
def app() -> Iterator[Portico]:
    yield make_app()


class Answer:
    """What the application answered."""

    def __init__(self, messages: list[Message]) -> None:
        start = messages[0]
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])

    @property
    def detail(self) -> Any:
        return json.loads(self.body)["detail"]


def raw_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode("latin-1"))
        for name, value in headers
    ]


def send(
    app: Portico,
    path: str,
    query: bytes | str = b"",
    headers: Headers = (),  # type: ignore[assignment]
    body: bytes | str | None = None,
    method: str | None = None,
) -> Answer:
    """Send a request as a server would, byte for byte. What the application raises is raised here."""
    content = body.encode() if isinstance(body, str) else body
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method or ("GET" if body is None else "POST"),
        "scheme": "http",
        "path": path,
        "raw_path": quote(path, errors="surrogateescape").encode(),
        "query_string": query.encode() if isinstance(query, str) else query,
        "root_path": "",
        "headers": raw_headers(headers),
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    received: list[Message] = [{"type": "http.request", "body": content or b"", "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        return received.pop(0) if received else {"type": "http.disconnect"}

    async def keep(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, keep))  # type: ignore[arg-type]
    return Answer(sent)


def check_shape(answer: Answer) -> None:
    """Fail unless this is an error of the client, in the shape that clients expect."""
    assert 400 <= answer.status < 500, (answer.status, answer.body)
    assert answer.headers["content-type"] == "application/json"
    if answer.status != 422:
        assert isinstance(answer.detail, str)
        return
    assert answer.detail
    for problem in answer.detail:
        assert {"type", "loc", "msg"} <= set(problem) <= {"type", "loc", "msg", "input", "ctx"}, problem
        assert isinstance(problem["type"], str)
        assert isinstance(problem["msg"], str)
        assert all(isinstance(part, str | int) for part in problem["loc"])
        assert problem["loc"][0] in ("path", "query", "header", "cookie", "body")


def problems(answer: Answer) -> set[tuple[str, str]]:
    """Return the place and the kind of each problem of a 422."""
    check_shape(answer)
    assert answer.status == 422
    return {(".".join(map(str, problem["loc"])), problem["type"]) for problem in answer.detail}


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
    "other digits": "١٢٣x",
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
VALID_PATH = ("1", "1.5", "red", "12345678123456781234567812345678", "2020-01-01T00:00:00", "true")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("place", range(len(VALID_PATH)))
def test_path_parameters(app: Portico, place: int, text: str) -> None:
    parts = [*VALID_PATH[:place], text, *VALID_PATH[place + 1 :]]
    answer = send(app, "/path/" + "/".join(parts))
    if answer.status != 200:  # an infinity is a float
        check_shape(answer)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_path_texts(app: Portico, text: str) -> None:
    if text not in ("x", "null"):
        check_shape(send(app, f"/text/{text}"))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    "name", ["number", "numbers", "ratio", "price", "flag", "colour", "kind", "at", "lasts", "id", "a-text"]
)
def test_query_parameters(app: Portico, name: str, text: str) -> None:
    value = quote(text, errors="surrogateescape")
    answer = send(app, "/query", f"number=1&numbers=2&{name}={value}")
    if answer.status != 200:
        check_shape(answer)
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


ITEM = {"name": "abc", "price": "1.5", "at": "2020-01-01T00:00:00"}
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
JSON_PATHS = ["/item", "/two", "/embedded", "/list", "/map", "/tree", "/pet", "/union", "/number", "/text"]


def suits(path: str, name: str) -> bool:
    """Tell whether a body of the table is right for the endpoint after all."""
    return (path, name) in {
        ("/number", "an integer"),
        ("/number", "an integer of 4000 digits"),
        ("/text", "a text"),
        ("/text", "NUL in a text"),
        ("/text", "half a surrogate pair"),
        ("/tree", "class attributes"),
        ("/tree", "a key that is empty"),
        ("/tree", "half a surrogate pair as a key"),
        ("/tree", "many keys"),
        ("/tree", "a key twice"),
        ("/tree", "an unknown tag"),
        ("/tree", "a tag that is a list"),
        ("/tree", "members that are no objects"),
        ("/tree", "an object with NaN"),
        ("/tree", "not UTF-8"),
        ("/tree", "UTF-16"),
        ("/tree", "UTF-32"),
        ("/tree", "a huge exponent within"),
    } or (path == "/tree" and isinstance(BODIES[name], str))


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", JSON_PATHS)
def test_json_bodies(app: Portico, path: str, name: str) -> None:
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
@pytest.mark.parametrize("path", JSON_PATHS)
def test_content_types_that_are_not_json(app: Portico, path: str, content_type: str | None) -> None:
    headers: Headers = [] if content_type is None else [("content-type", content_type)]
    answer = send(app, path, headers=headers, body=json.dumps(ITEM))
    if path == "/text":
        assert answer.status in (200, 422)  # whatever is not read as JSON is a text
    else:
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
    "wrong elements": b"user=a&age=1&tags=1&tags=x&tags=",
    "too many fields": b"&".join([b"tags=1"] * 1001),
    "a huge field": b"user=" + b"a" * (1 << 20) + b"&age=x",
    "JSON": json.dumps(ITEM).encode(),
    "half a surrogate pair": b"user=%ED%A0%80&age=%ED%A0%80",
}
FORM_PATHS = ["/form", "/form-model", "/files", "/login"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("path", FORM_PATHS)
def test_forms(app: Portico, path: str, form: bytes) -> None:
    check_shape(send(app, path, headers=URLENCODED, body=form))


def part(name: str, value: bytes, extra: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode("utf-8", "surrogateescape") + value + b"\r\n"


END = b"--b--\r\n"
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
    "a bad charset": b'--b\r\nContent-Disposition: form-data; name="user"\r\nContent-Type: text/plain; charset=nope\r\n\r\na\r\n'
    + END,
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
@pytest.mark.parametrize("path", FORM_PATHS)
def test_multipart_forms(app: Portico, path: str, parts: bytes) -> None:
    check_shape(send(app, path, headers=MULTIPART, body=parts))


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="', "text/plain", ""],
)
@pytest.mark.parametrize("path", FORM_PATHS)
def test_content_types_that_are_no_form(app: Portico, path: str, content_type: str) -> None:
    check_shape(send(app, path, headers=[("content-type", content_type)], body=part("user", b"a") + END))


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


@pytest.mark.parametrize("path", ["", "/", "//", "/nowhere", "/item/", "/path/1", "/\0", "/\udc80", "/%2f", "*", "/ws/1"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "TRACE", "get", "", "M-SEARCH"])
def test_paths_and_methods_that_nobody_serves(app: Portico, path: str, method: str) -> None:
    answer = send(app, path, method=method)
    if answer.status == 307:
        assert answer.headers["location"].startswith("http://test/")
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

    asyncio.run(app(scope, receive, keep))  # type: ignore[arg-type]
    (message,) = sent
    assert message["type"] == "websocket.close"
    assert message["code"] == 1008
    assert 0 < len(message["reason"].encode()) <= 123


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


def _changed(chance: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few cut out, put in or replaced; often as they are."""
    changed = bytearray(data)
    for _ in range(chance.choice((0, 0, 1, 2, 5))):
        at = chance.randrange(len(changed) + 1)
        piece = chance.choice((b"\0", b"\xff", b"%", b"&", b"=", b'"', b"{", b"[", b"-", b"9" * 50, b"\r\n", b"e9", b""))
        changed[at : at + chance.choice((0, 1, 3))] = piece
    return bytes(changed)
