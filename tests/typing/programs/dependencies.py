"""Dependencies: functions, classes, generators, chains, on routes and on the application, and overrides."""

# ruff: noqa: B008 - the older spelling, on purpose
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from functools import partial
from typing import Annotated, Any

from portico import APIRouter, Depends, Header, HTTPException, Portico, Query, Request


class Session:
    def __init__(self, name: str) -> None:
        self.name = name

    def close(self) -> None: ...


async def common(q: str | None = None, skip: int = 0, limit: int = 100) -> dict[str, Any]:
    return {"q": q, "skip": skip, "limit": limit}


class Common:
    def __init__(self, q: str | None = None, skip: int = 0) -> None:
        self.q = q
        self.skip = skip


class Contains:
    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, q: str = "") -> bool:
        return self.text in q


def get_session() -> Generator[Session, None, None]:
    session = Session("sync")
    try:
        yield session
    finally:
        session.close()


async def get_async_session() -> AsyncGenerator[Session, None]:
    session = Session("async")
    try:
        yield session
    finally:
        session.close()


def short_form() -> Iterator[Session]:
    yield Session("short")


async def async_short_form() -> AsyncIterator[Session]:
    yield Session("async short")


SessionDep = Annotated[Session, Depends(get_session)]
AsyncSessionDep = Annotated[Session, Depends(get_async_session, scope="function")]


def repository(session: SessionDep, other: AsyncSessionDep) -> list[Session]:
    return [session, other]


async def service(repository: Annotated[list[Session], Depends(repository, use_cache=False)]) -> int:
    return len(repository)


async def verify_token(x_token: Annotated[str, Header()]) -> None:
    if x_token != "secret":
        raise HTTPException(status_code=400, detail="X-Token header invalid")


def with_prefix(prefix: str, q: Annotated[str, Query()] = "") -> str:
    return prefix + q


contains_tea = Contains("tea")
app = Portico(dependencies=[Depends(verify_token)])
router = APIRouter(prefix="/users", dependencies=[Depends(verify_token)])


@app.get("/chain")
async def chain(service: Annotated[int, Depends(service)], commons: Annotated[dict[str, Any], Depends(common)]) -> int:
    return service + len(commons)


@app.get("/classes")
async def classes(one: Annotated[Common, Depends()], other: Common = Depends(Common)) -> list[int]:
    return [one.skip, other.skip]


@app.get("/callables")
def callables(
    has_tea: Annotated[bool, Depends(contains_tea)],
    prefixed: Annotated[str, Depends(partial(with_prefix, "a"))],
    first: Session = Depends(short_form),
    second: Session = Depends(async_short_form),
) -> list[str]:
    return [str(has_tea), prefixed, first.name, second.name]


@router.get("/me", dependencies=[Depends(common)])
def me(request: Request, session: SessionDep) -> str:
    return session.name + request.url.path


async def no_token() -> None:
    return None


app.include_router(router)
app.dependency_overrides[verify_token] = no_token
app.dependency_overrides = {get_session: lambda: Session("fake")}
