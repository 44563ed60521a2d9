"""An application with every kind of typed parameter, and a way to send it any bytes."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec
from pydantic import BaseModel, Field, StringConstraints, field_validator
from typing_extensions import TypedDict

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


@dataclass
class Thing:
    number: int
    parts: list[Part] = field(default_factory=list)


class Record(TypedDict):
    number: int
    name: str


class Node(msgspec.Struct):
    number: int
    children: list["Node"] = []


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

    @app.post("/dataclass")
    async def _dataclass(thing: Thing) -> Any:
        return {}

    @app.post("/typed-dict")
    async def _typed_dict(record: Record) -> Any:
        return {}

    @app.post("/struct")
    async def _struct(node: Node) -> Any:
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
    content = (body.encode() if isinstance(body, str) else body) or b""
    messages = [{"type": "http.request", "body": content, "more_body": False}]
    return Answer(exchange(app, path, query, headers, messages, method or ("GET" if body is None else "POST")))


def exchange(
    app: Portico, path: str, query: bytes | str, headers: Headers, received: list[Message], method: str
) -> list[Message]:
    """Let the application have a request, message by message, until the client is gone; return what it sends."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path, errors="surrogateescape").encode(),
        "query_string": query.encode() if isinstance(query, str) else query,
        "root_path": "",
        "headers": raw_headers(headers),
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return received.pop(0) if received else {"type": "http.disconnect"}

    async def keep(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, keep))
    return sent


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


# What is right, to be made wrong in one place.
ITEM = {"name": "abc", "price": "1.5", "at": "2020-01-01T00:00:00"}
VALID_PATH = ("1", "1.5", "red", "12345678123456781234567812345678", "2020-01-01T00:00:00", "true")


def part(name: str, value: bytes, extra: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode("utf-8", "surrogateescape") + value + b"\r\n"


END = b"--b--\r\n"
