"""Parameters from everywhere, in both spellings."""

# ruff: noqa: B008, UP042 - the older spelling, on purpose
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, HttpUrl

from portico import Body, Cookie, Header, Path, Portico, Query, Request, Response

app = Portico(title="Parameters", version="1.0", debug=False)


class Kind(str, Enum):
    tea = "tea"
    coffee = "coffee"


class Paging(BaseModel):
    model_config = {"extra": "forbid"}

    limit: int = Field(100, gt=0, le=100)
    offset: int = Field(0, ge=0)
    order: Literal["created", "updated"] = "created"
    tags: list[str] = []


class CommonHeaders(BaseModel):
    host: str
    save_data: bool
    traceparent: str | None = None
    x_tag: list[str] = []


class Image(BaseModel):
    url: HttpUrl
    name: str


class Item(BaseModel):
    name: str = Field(examples=["Foo"])
    price: Decimal = Field(gt=0)
    tags: set[str] = set()
    images: list[Image] | None = None


class User(BaseModel):
    username: str
    full_name: str | None = None


@app.get("/")
async def root() -> dict[str, str]:
    return {"message": "Hello"}


@app.get("/items/{item_id}")
async def read_item(
    item_id: Annotated[int, Path(title="The id", ge=1, le=1000)],
    q: Annotated[str | None, Query(min_length=3, max_length=50, pattern="^fixed", deprecated=True)] = None,
    many: Annotated[list[str] | None, Query(alias="item-query")] = None,
    size: float = 1.5,
    short: bool = False,
) -> dict[str, Any]:
    return {"item_id": item_id, "q": q, "many": many, "size": size, "short": short}


@app.get("/old/{item_id}")
def old_style(
    *,
    item_id: int = Path(title="The id"),
    q: str = Query("default", max_length=50),
    numbers: list[int] = Query([]),
    factory: list[str] = Query(default_factory=list),
    ads_id: str | None = Cookie(None),
    user_agent: str | None = Header(default=None),
    strange: str | None = Header(None, convert_underscores=False),
) -> dict[str, Any]:
    return {"item_id": item_id, "q": q, "n": numbers, "f": factory, "a": ads_id, "u": user_agent, "s": strange}


@app.get("/kinds/{kind}")
async def read_kind(kind: Kind) -> Kind:
    return kind


@app.get("/files/{file_path:path}")
async def read_file(file_path: str) -> str:
    return file_path


@app.get("/paged")
async def paged(paging: Annotated[Paging, Query()], headers: Annotated[CommonHeaders, Header()]) -> Paging:
    paging.tags.append(headers.host)
    return paging


@app.put("/items/{item_id}")
async def update_item(
    item_id: UUID,
    item: Item,
    user: User,
    importance: Annotated[int, Body(gt=0)],
    start: Annotated[datetime | None, Body()] = None,
    at: Annotated[time | None, Body()] = None,
    after: Annotated[timedelta | None, Body()] = None,
) -> dict[str, Any]:
    return {"id": item_id, "item": item, "user": user, "importance": importance, "times": (start, at, after)}


@app.post("/embedded")
async def embedded(
    item: Annotated[Item, Body(embed=True, openapi_examples={"one": {"summary": "One", "value": {"name": "a"}}})],
) -> Item:
    return item


@app.post("/days")
async def days(days: list[date]) -> int:
    return len(days)


@app.api_route("/raw", methods=["POST"])
async def raw(request: Request, response: Response) -> str:
    response.headers["x-path"] = request.url.path
    response.set_cookie("seen", "yes", httponly=True)
    body: bytes = await request.body()
    agent: str | None = request.headers.get("user-agent")
    return f"{len(body)} bytes from {agent}"
