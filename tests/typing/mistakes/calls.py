"""Calls that the framework does not have: each line that is marked has to be reported."""

from portico import APIRouter, Depends, HTTPException, Portico, Query, WebSocket
from portico.web.responses import JSONResponse
from portico.web.testclient import TestClient

app = Portico(titel="Notes")  # wrong: mypy=call-arg pyright=reportCallIssue
app = Portico(title=1)  # wrong: mypy=arg-type pyright=reportArgumentType
router = APIRouter(prefix=None)  # wrong: mypy=arg-type pyright=reportArgumentType


@app.get("/", respnse_model=int)  # wrong: mypy=call-arg pyright=reportCallIssue
async def unknown_keyword() -> int:
    return 1


@app.get("/", status_code="200")  # wrong: mypy=arg-type pyright=reportArgumentType
async def wrong_status() -> int:
    return 1


@app.get(1)  # wrong: mypy=arg-type pyright=reportArgumentType
async def wrong_path() -> int:
    return 1


@router.websocket("/", response_model=int)  # wrong: mypy=call-arg pyright=reportCallIssue
async def no_model_here(websocket: WebSocket) -> None: ...


@app.get("/", response_class=dict)  # wrong: mypy=arg-type pyright=reportArgumentType
async def no_response() -> int:
    return 1


Depends(app, use_cache="no")  # wrong: mypy=arg-type pyright=reportArgumentType
Depends(app, scope="session")  # wrong: mypy=arg-type pyright=reportArgumentType
Query(min_length="3")  # wrong: mypy=arg-type pyright=reportArgumentType
Query(minimum=3)  # wrong: mypy=call-arg pyright=reportCallIssue
HTTPException("404")  # wrong: mypy=arg-type pyright=reportArgumentType
JSONResponse({}, status=200)  # wrong: mypy=call-arg pyright=reportCallIssue
app.include_router(app)  # wrong: mypy=arg-type pyright=reportArgumentType
TestClient(app).gte("/")  # wrong: mypy=attr-defined pyright=reportAttributeAccessIssue
