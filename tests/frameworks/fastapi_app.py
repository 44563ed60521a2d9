"""A FastAPI application: typed parameters, body models, dependencies, validation, OpenAPI, an upload, a stream."""

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

app = FastAPI(title="Shop", version="2")
closed: list[str] = []


class Item(BaseModel):
    name: str = Field(min_length=1)
    price: float = Field(gt=0)
    tags: list[str] = []


async def token(authorization: Annotated[str | None, Header()] = None) -> AsyncIterator[str]:
    """A dependency that refuses, and that is closed after the answer."""
    if authorization is None:
        raise HTTPException(401, "who are you?", headers={"www-authenticate": "Bearer"})
    yield authorization.removeprefix("Bearer ")
    closed.append(authorization)


@app.get("/items/{number}")
async def read_item(number: int, q: Annotated[list[str] | None, Query()] = None) -> dict[str, object]:
    return {"number": number, "q": q}


@app.post("/items", status_code=201)
async def create_item(item: Item) -> Item:
    return item


@app.get("/me")
async def me(name: Annotated[str, Depends(token)]) -> dict[str, str]:
    return {"name": name}


@app.get("/closed")
async def read_closed() -> list[str]:
    return closed


@app.get("/thread")
def in_a_thread() -> dict[str, bool]:
    return {"main": threading.current_thread() is threading.main_thread()}


@app.get("/lines")
def lines() -> StreamingResponse:
    def generate() -> Iterator[str]:
        for number in range(20):
            yield f'{{"line": {number}}}\n'

    return StreamingResponse(generate(), media_type="application/x-ndjson")


@app.delete("/items/{number}", status_code=204)
async def delete_item(number: int) -> None:
    pass
