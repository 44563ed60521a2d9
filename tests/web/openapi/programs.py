"""Programs that FastAPI and Portico both run: each takes the framework and its application class, and gives an app."""

import dataclasses
import datetime
import decimal
import enum
import importlib
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, Json, RootModel, WithJsonSchema, computed_field
from typing_extensions import TypedDict  # of typing, pydantic takes it from Python 3.12 on

T = TypeVar("T")
Framework = Any


class Size(enum.Enum):
    """How large."""

    small = "s"
    large = "l"


class Tag(enum.StrEnum):
    b = "b"


class Owner(BaseModel):
    """Whom something belongs to.

    A second paragraph.\fWhat only developers read.
    """

    name: str = Field(examples=["Ada"], max_length=50)
    born: datetime.date | None = None


class Item(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Foo", "price": "3.5"}]})

    name: str
    price: decimal.Decimal = decimal.Decimal("1.5")
    size: Size = Size.small
    owner: Owner | None = None
    tags: set[str] = set()
    key: uuid.UUID = Field(default_factory=uuid.uuid4)
    kept: bytes = b"x"
    next: "Item | None" = None

    @computed_field
    @property
    def label(self) -> str:
        return self.name


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int = Field(ge=0, title="How many")


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Options(TypedDict, total=False):
    deep: bool


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]


def parameters(web: Framework, App: Any) -> Any:
    app = App()

    class Filters(BaseModel):
        limit: int = Field(10, gt=0, le=100, description="At most")
        order_by: Literal["name", "price"] = "name"
        tags: list[str] = []
        odd_one: str | None = Field(None, alias="oddOne")
        either: str = Field("x", validation_alias=AliasChoices("first", "second"))

    class Marks(BaseModel):
        if_range: str | None = None
        x_tag: list[str] = []

    @app.get("/path/{a}/{b}/{c:path}")
    def path(a: Annotated[int, web.Path(ge=1, title="The A", examples=[3])], b: Size, c: str) -> None: ...

    @app.get("/query")
    def query(
        needed: str,
        many: Annotated[list[int], web.Query(min_length=1, description="Many")],
        number: Annotated[float, web.Query(gt=0, multiple_of=0.5, deprecated=True)] = 1.5,
        text: Annotated[str | None, web.Query(alias="the-text", pattern="^a", min_length=1)] = None,
        when: datetime.datetime | None = None,
        choice: Literal["a", "b"] = "a",
        size: Size = Size.large,
        hidden: Annotated[str, web.Query(include_in_schema=False)] = "x",
        shown: Annotated[str, web.Query(openapi_examples={"one": {"summary": "First", "value": "1"}})] = "1",
        packed: Annotated[Json[list[int]] | None, web.Query(json_schema_extra={"x-packed": True})] = None,
        delay: datetime.timedelta = datetime.timedelta(seconds=90),
        either: int | str | None = None,
    ) -> None: ...

    @app.get("/headers")
    def headers(
        user_agent: Annotated[str | None, web.Header()] = None,
        as_is: Annotated[str, web.Header(convert_underscores=False)] = "",
        session: Annotated[str | None, web.Cookie(alias="sid")] = None,
    ) -> None: ...

    @app.get("/models")
    def models(filters: Annotated[Filters, web.Query()], marks: Annotated[Marks | None, web.Header()] = None) -> None:
        """Parameters that are the fields of models."""

    return app


def bodies(web: Framework, App: Any) -> Any:
    app = App()

    class Login(BaseModel):
        user: str
        password: str = Field(min_length=8)

    @app.post("/one", status_code=201)
    def one(item: Item) -> Item: ...

    @app.put("/several/{key}")
    def several(key: int, item: Item, owner: Owner | None = None, note: Annotated[str, web.Body()] = "") -> Item: ...

    @app.post("/embedded")
    def embedded(
        item: Annotated[Item, web.Body(embed=True, description="A thing", examples=[{"name": "x"}])],
    ) -> None: ...

    @app.post("/others")
    def others(point: Point) -> Point: ...

    @app.post("/typed-dict")
    def typed_dict(options: Options) -> Options: ...

    @app.post("/lists")
    def lists(
        items: list[Item],
    ) -> Page[Item]: ...

    @app.post("/union")
    def union(pet: Annotated[Cat | Dog, web.Body(discriminator="kind")]) -> Cat | Dog: ...

    @app.post("/any")
    def anything(data: dict[str, Any]) -> Any: ...

    @app.post("/form")
    def form(
        user: Annotated[str, web.Form(description="Who")], age: Annotated[int | None, web.Form()] = None
    ) -> None: ...

    @app.post("/form-model")
    def form_model(login: Annotated[Login, web.Form()]) -> None: ...

    @app.post("/files")
    def files(
        one: web.UploadFile,
        many: list[web.UploadFile],
        raw: Annotated[bytes, web.File()],
        note: Annotated[str, web.Form()],
    ) -> None: ...

    @app.post("/optional-file")
    def optional_file(one: web.UploadFile | None = None) -> None: ...

    @app.api_route("/methods", methods=["GET"])
    def methods(item: Item | None = None) -> None: ...

    return app


def results(web: Framework, App: Any) -> Any:
    responses = importlib.import_module(f"{web.__name__}.responses")
    sse = importlib.import_module(f"{web.__name__}.sse")
    app = App(default_response_class=responses.JSONResponse)

    @app.get("/model", response_model=Item, response_description="The thing")
    def model() -> Any: ...

    @app.get("/none", status_code=204)
    def none() -> None: ...

    @app.get("/html", response_class=responses.HTMLResponse)
    def html() -> str: ...

    @app.get("/redirect", response_class=responses.RedirectResponse)
    def redirect() -> str: ...

    @app.get("/file", response_class=responses.FileResponse)
    def file() -> str: ...

    @app.get("/response")
    def response() -> web.Response: ...

    @app.get(
        "/more",
        responses={
            404: {"model": Owner, "description": "Not there"},
            "4XX": {"description": "Wrong"},
            "default": {"model": Item},
            200: {"content": {"image/png": {}}, "headers": {"X-Rate": {"schema": {"type": "integer"}}}},
            418: {},
        },
    )
    def more(q: int = 0) -> Item: ...

    @app.get("/lines")
    async def lines() -> AsyncIterator[Item]:
        yield Item(name="x")

    @app.get("/events", response_class=sse.EventSourceResponse)
    async def events() -> AsyncIterator[Item]:
        yield Item(name="x")

    @app.get("/bare-events", response_class=sse.EventSourceResponse)
    def bare_events() -> Iterator[Any]:
        yield 1

    return app


def dependencies(web: Framework, App: Any) -> Any:
    security = importlib.import_module(f"{web.__name__}.security")
    app = App(dependencies=[web.Depends(security.APIKeyHeader(name="X-Key", auto_error=False))])
    oauth = security.OAuth2PasswordBearer(tokenUrl="token", scopes={"read": "To read", "write": "To write"})
    bearer = security.HTTPBearer(description="A token", bearerFormat="JWT")
    openid = security.OpenIdConnect(openIdConnectUrl="/openid")

    def page(limit: Annotated[int, web.Query(le=100)] = 10, offset: int = 0) -> tuple[int, int]: ...

    def user(token: Annotated[str, web.Depends(oauth)], scopes: security.SecurityScopes, limit: int) -> str: ...

    @app.get("/a")
    def a(
        pages: Annotated[Any, web.Depends(page)], who: Annotated[str, web.Security(user, scopes=["read"])]
    ) -> None: ...

    @app.get("/b", dependencies=[web.Depends(bearer), web.Security(openid, scopes=["x"])])
    def b(who: Annotated[str, web.Security(user, scopes=["write", "read"])]) -> None: ...

    @app.get("/c", dependencies=[web.Depends(security.HTTPBasic(realm="x")), web.Depends(security.HTTPDigest())])
    def c(key: Annotated[str, web.Depends(security.APIKeyCookie(name="k"))]) -> None: ...

    return app


def routers(web: Framework, App: Any) -> Any:
    def named(route: Any) -> str:
        return f"{route.tags[0] if route.tags else 'x'}-{route.name}"

    app = App(
        title="Shop",
        summary="In short",
        description="At **length**",
        version="2.1",
        openapi_tags=[{"name": "items", "description": "Things", "externalDocs": {"url": "https://example.com/x"}}],
        servers=[{"url": "/api", "description": "Here"}, {"url": "https://example.com"}],
        terms_of_service="https://example.com/terms",
        contact={"name": "Ada", "url": "https://example.com", "email": "ada@example.com"},
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_external_docs={"url": "https://example.com/docs", "description": "More"},
        generate_unique_id_function=named,
        responses={500: {"description": "Broken"}},
    )
    calls = web.APIRouter()
    inner = web.APIRouter(prefix="/inner", tags=["inner"], deprecated=True)
    outer = web.APIRouter(prefix="/outer", responses={404: {"model": Owner}}, dependencies=[web.Depends(lambda q=1: q)])

    @calls.post("{$callback_url}/paid/{$request.body.id}", response_model=Owner)
    def paid(item: Item) -> Any:
        """Tell that it is paid."""

    @inner.post("/items/{item_id}", callbacks=calls.routes, tags=["items"], operation_id="my-operation")
    def add(item_id: int, item: Item) -> Item:
        """Add an item.

        In **Markdown**.
        \f
        Not shown.
        """

    @inner.get("/hidden", include_in_schema=False)
    def hidden(item: Item) -> Item: ...

    @outer.get(
        "/extra",
        summary="Extra",
        openapi_extra={"x-more": [1, None], "parameters": [{"name": "y", "in": "query", "schema": {}}]},
    )
    def extra(x: int) -> dict[str, Owner]: ...

    @app.webhooks.post("new-item")
    def new_item(item: Item) -> None:
        """A thing is there."""

    outer.include_router(inner, prefix="/deep")
    app.include_router(outer, tags=["outer"])
    app.include_router(inner, prefix="/again")
    return app


def one_schema(web: Framework, App: Any) -> Any:
    app = App(separate_input_output_schemas=False)

    class Plain(BaseModel):
        name: str
        note: str = "-"

    @app.post("/plain")
    def plain(given: Plain) -> Plain: ...

    @app.post("/computed")
    def computed(given: Item) -> Item: ...

    return app


def same_names(web: Framework, App: Any) -> Any:
    def model(**fields: Any) -> type[BaseModel]:
        return type("Same", (BaseModel,), {"__annotations__": fields, "__module__": __name__})

    app = App()
    first, second = model(a=int), model(b=str)

    def read(given: Any) -> Any: ...

    for path, kind in (("/first", first), ("/second", second)):

        def endpoint(given: kind) -> kind: ...  # type: ignore[valid-type]

        app.post(path)(endpoint)
    return app


def oddities(web: Framework, App: Any) -> Any:
    app = App()

    class Coded(BaseModel):
        model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", title="In base 64")

        data: bytes = Field(b"x", max_length=9)
        either: Annotated[Owner, WithJsonSchema({"type": "string"})] | None = None

    class Deferred(BaseModel):
        model_config = ConfigDict(defer_build=True)

        name: str

    @dataclasses.dataclass
    class Shape:
        corners: list[Point] = dataclasses.field(default_factory=list)
        inner: Coded | None = None

        @computed_field
        def size(self) -> int:
            return len(self.corners)

    class Node(RootModel[dict[str, "Node | int"]]):
        """A tree."""

    @app.post("/coded")
    def coded(given: Coded, hidden: Annotated[Item, WithJsonSchema({"type": "object"})]) -> Coded: ...

    @app.post("/deferred")
    def deferred(given: Deferred, query: Annotated[Deferred, web.Query()]) -> list[Deferred]: ...

    @app.post("/shape")
    def shape(given: Shape) -> dict[Size, Shape]: ...

    @app.post("/tree")
    def tree(given: Node) -> tuple[Node, int] | None: ...

    @app.get("/defaults")
    def defaults(
        a: bool = False,
        b: Annotated[float, web.Query()] = 2,
        c: decimal.Decimal = decimal.Decimal("0.10"),
        d: Annotated[list[Size], web.Query()] = [Size.small],  # noqa: B006
        e: Annotated[datetime.date | None, web.Query(example="2026-01-01")] = None,
        *,
        f: Annotated[str, web.Query(default_factory=lambda: "made")],
        g: Annotated[frozenset[int], web.Query(max_length=3)] = frozenset({1}),
    ) -> None: ...

    @app.put("/both", tags=["a", Tag.b], deprecated=True)
    @app.post("/both", name="Another name", description="Not the *docstring*")
    def both(given: Annotated[Any, web.Body(media_type="application/x-own")] = None) -> Annotated[int, Field(ge=1)]:
        """The docstring."""

    return app


PROGRAMS = (parameters, bodies, results, dependencies, routers, one_schema, same_names, oddities)
