"""What FastAPI does not have: structs, dependencies of the application, handlers of narrower exceptions, clients."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import msgspec

from portico import APIRouter, Depends, Portico, Request, Response
from portico.web.responses import JSONResponse
from portico.web.testclient import AsyncTestClient, TestClient


class Tea(msgspec.Struct):
    name: str
    price: float = 0.0


class Pool:
    size = 10


class OutOfTea(Exception):
    name = "green"


class SoldOut(OutOfTea):
    pass


async def connect() -> AsyncIterator[Pool]:
    yield Pool()


def cursor(pool: Annotated[Pool, Depends(connect, scope="app")]) -> Iterator[int]:
    yield pool.size


async def out_of_tea(request: Request, error: OutOfTea) -> JSONResponse:
    return JSONResponse({"name": error.name, "path": request.url.path}, 503)


def sold_out(request: Request, error: SoldOut) -> Response:
    return Response(error.name, 410)


router = APIRouter(exception_handlers={SoldOut: sold_out})
app = Portico(exception_handlers={OutOfTea: out_of_tea})
app.add_exception_handler(SoldOut, sold_out)


@router.post("/teas")
async def add(tea: Tea, cursor: Annotated[int, Depends(cursor, scope="request")]) -> Tea:
    if cursor > 100:
        raise OutOfTea
    return tea


app.include_router(router)
app.frontend("/", directory=".", check_dir=False)


def synchronous() -> int:
    with TestClient(app, lifespan="on") as client:
        return client.post("/teas", json={"name": "green"}).status_code


async def asynchronous() -> str:
    async with AsyncTestClient(app) as client, client.stream("GET", "/") as answer:
        return (await answer.aread()).decode()
