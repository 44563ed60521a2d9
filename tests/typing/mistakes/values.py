"""Values of the wrong type: what the framework gives and takes is known to a checker."""

from typing import Annotated

from portico import BackgroundTasks, Depends, Portico, Request, UploadFile, WebSocket
from portico.web.middleware import Middleware
from portico.web.middleware.gzip import GZipMiddleware
from portico.web.security import HTTPBasicCredentials, SecurityScopes

app = Portico()


@app.post("/")
async def endpoint(request: Request, file: UploadFile) -> int:
    size: int = await request.body()  # wrong: mypy=assignment pyright=reportAssignmentType
    name: str = file.filename  # wrong: mypy=assignment pyright=reportAssignmentType
    request.headers["x-a"] = "b"  # wrong: mypy=index pyright=reportIndexIssue
    return size + len(name)


@app.websocket("/")
async def live(websocket: WebSocket) -> None:
    await websocket.send_text(b"bytes")  # wrong: mypy=arg-type pyright=reportArgumentType
    await websocket.send_bytes("text")  # wrong: mypy=arg-type pyright=reportArgumentType
    number: int = await websocket.receive_text()  # wrong: mypy=assignment pyright=reportAssignmentType
    print(number)


def dependency(scopes: SecurityScopes, credentials: HTTPBasicCredentials) -> str:
    number: int = scopes.scope_str  # wrong: mypy=assignment pyright=reportAssignmentType
    return credentials.pasword + str(number)  # wrong: mypy=attr-defined pyright=reportAttributeAccessIssue


# An endpoint stays what it was: decorated, it is called like any function.
@app.get("/plain")
def plain(text: Annotated[str, Depends(dependency)]) -> str:
    return text


plain(1)  # wrong: mypy=arg-type pyright=reportArgumentType
number: int = plain("text")  # wrong: mypy=assignment pyright=reportAssignmentType
app.add_middleware(GZipMiddleware, minimum_sise=1)  # wrong: mypy=call-arg pyright=reportCallIssue
Middleware(GZipMiddleware, minimum_size="1")  # wrong: mypy=arg-type pyright=reportArgumentType


def write(message: str, *, to: str = "log") -> None: ...


BackgroundTasks().add_task(write, "sent", too="log")  # wrong: mypy=call-arg pyright=reportCallIssue
BackgroundTasks().add_task(write, 1)  # wrong: mypy=arg-type pyright=reportArgumentType
