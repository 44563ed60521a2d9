"""What endpoints return: models, unions, lists, generics, dataclasses, typed dicts, responses, streams and files."""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, EmailStr
from typing_extensions import TypedDict  # of typing, pydantic takes it from Python 3.12 on

from portico import BackgroundTasks, Portico, Response, status
from portico.web.encoders import jsonable_encoder
from portico.web.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)
from portico.web.sse import EventSourceResponse, ServerSentEvent

app = Portico(default_response_class=JSONResponse)
T = TypeVar("T")


class BaseUser(BaseModel):
    username: str
    email: EmailStr | None = None


class UserIn(BaseUser):
    password: str


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int


class Car(BaseModel):
    kind: str = "car"


class Plane(BaseModel):
    kind: str = "plane"
    wings: int = 2


@dataclass
class Point:
    x: int
    y: int = 0


class Movie(TypedDict):
    title: str
    year: int


@app.post("/user", response_model=BaseUser, status_code=status.HTTP_201_CREATED, tags=["users"], summary="Add")
async def create_user(user: UserIn) -> Any:
    return user


@app.get("/user", response_model=list[BaseUser], response_model_exclude_unset=True, response_model_exclude={"email"})
def users() -> list[dict[str, Any]]:
    return [{"username": "ada"}]


@app.get("/page", response_model_include={"items": {"__all__": {"username"}}, "total": True})
async def page() -> Page[BaseUser]:
    return Page(items=[], total=0)


@app.get("/either")
async def either(plane: bool = False) -> Car | Plane:
    return Plane() if plane else Car()


@app.post("/point")
async def point(point: Point) -> Point:
    return point


@app.post("/movie")
async def movie(movie: Movie) -> Movie:
    return movie


@app.get("/none", status_code=204)
def none() -> None: ...


@app.get("/maybe", response_model=None)
async def maybe(teleport: bool = False) -> Response | dict[str, str]:
    if teleport:
        return RedirectResponse(url="https://example.org")
    return {"message": "here"}


@app.get("/page.html", response_class=HTMLResponse)
async def html() -> str:
    return "<p>hello"


@app.get("/text", response_class=PlainTextResponse, responses={404: {"description": "Nothing"}, "4XX": {"model": Car}})
async def text() -> str:
    return "hello"


@app.get("/file", response_class=FileResponse)
async def file() -> str:
    return __file__


@app.get("/stream")
async def stream() -> StreamingResponse:
    def pieces() -> Iterator[bytes]:
        yield b"some"

    return StreamingResponse(pieces(), media_type="video/mp4", headers={"x-a": "b"})


@app.get("/lines")
async def lines() -> AsyncIterable[Car]:
    yield Car()


@app.get("/events", response_class=EventSourceResponse)
async def events() -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(data={"a": 1}, event="news", id="1", retry=1000)


def write(message: str, *, to: str = "log") -> None: ...


@app.post("/mail", openapi_extra={"x-rate": 1}, operation_id="mail", deprecated=True, include_in_schema=False)
async def mail(tasks: BackgroundTasks, response: Response) -> dict[str, Any]:
    tasks.add_task(write, "sent", to="log")
    response.status_code = 202
    encoded: Any = jsonable_encoder(Car(), exclude_none=True)
    return {"encoded": encoded}
