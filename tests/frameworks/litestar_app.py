"""A Litestar application: routes, a lifespan, a guard, a stream, validation and its own error answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from litestar import Litestar, Request, get, post
from litestar.datastructures import State
from litestar.exceptions import NotAuthorizedException
from litestar.response import Stream


@dataclass
class Point:
    x: int
    y: int


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.points = []
    print("points opened", flush=True)
    yield
    print(f"points closed: {len(app.state.points)}", flush=True)


@get("/points")
async def list_points(state: State) -> list[Point]:
    return list(state.points)


@post("/points")
async def add_point(data: Point, state: State) -> Point:
    state.points.append(data)
    return data


@get("/hello/{name:str}")
async def hello(name: str, shout: bool = False) -> str:
    return name.upper() if shout else name


@get("/count")
async def count() -> Stream:
    async def numbers() -> AsyncIterator[bytes]:
        for number in range(30):
            yield b"%d," % number

    return Stream(numbers())


@post("/size")
async def size(request: Request) -> dict[str, int]:
    return {"size": len(await request.body())}


@get("/secret")
async def secret() -> None:
    raise NotAuthorizedException("not for you")


app = Litestar([list_points, add_point, hello, count, size, secret], lifespan=[lifespan])
