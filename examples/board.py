"""A notice board on the untyped half of the framework, in one file.

It has pages with a sign-in form and an upload form, a JSON API, files, and a WebSocket that tells of news. Notes live
in memory and pictures in a directory that goes with the process. The name in the session is whatever a visitor has
typed; a service that is meant seriously asks for a password here.
"""

import asyncio
import json
import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import TypedDict

from portico.web.applications import Application
from portico.web.concurrency import run_in_threadpool
from portico.web.exceptions import HTTPException
from portico.web.middleware import Middleware
from portico.web.middleware.sessions import SessionMiddleware
from portico.web.requests import Request
from portico.web.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from portico.web.routing import Mount, Route, WebSocketRoute
from portico.web.staticfiles import StaticFiles
from portico.web.websockets import WebSocket, WebSocketDisconnect

PICTURES = Path(tempfile.mkdtemp(prefix="board-"))
MAX_TEXT = 10_000  # characters
MAX_BODY = 5 << 20  # bytes
MAX_BEHIND = 100  # news that a listener may leave unread
TYPES = {"image/png": ".png", "image/jpeg": ".jpg"}


@dataclass
class Note:
    author: str
    text: str
    picture: str | None = None


@dataclass
class Board:
    """All notes, and those who want to hear of new ones."""

    notes: dict[int, Note] = field(default_factory=dict)
    listeners: set[asyncio.Queue[str]] = field(default_factory=set)

    def add(self, note: Note) -> int:
        number = len(self.notes) + 1
        self.notes[number] = note
        for listener in self.listeners:
            if not listener.full():
                listener.put_nowait(json.dumps({"id": number, "author": note.author}))
        return number


class State(TypedDict):
    board: Board


@asynccontextmanager
async def lifespan(app: Application) -> AsyncIterator[State]:
    yield {"board": Board()}
    for picture in PICTURES.iterdir():
        picture.unlink()
    PICTURES.rmdir()


# --- pages --------------------------------------------------------------------------------------

SIGN_IN = """<form method="post" action="{action}">
Your name: <input name="name" required> <button>Sign in</button>
</form>
"""
WRITE = """<form method="post" action="{action}" enctype="multipart/form-data">
<textarea name="text" required></textarea>
<input type="file" name="picture" accept="image/png,image/jpeg"> <button>Write</button>
</form>
"""


async def index(request: Request) -> Response:
    user = request.session.get("user")
    form = WRITE.format(action=request.url_for("write")) if user else SIGN_IN.format(action=request.url_for("sign_in"))
    notes = "".join(map(shown, request.state.board.notes.values()))
    return HTMLResponse(f"<!doctype html><title>Board</title><h1>Board</h1>\n{form}<ul>{notes}</ul>\n")


def shown(note: Note) -> str:
    picture = f'<img src="/pictures/{note.picture}" alt="">' if note.picture else ""
    return f"<li><b>{escape(note.author)}</b> {escape(note.text)}{picture}"


async def sign_in(request: Request) -> Response:
    async with request.form() as form:
        name = str(form.get("name", "")).strip()
    if not name:
        raise HTTPException(422, "A name is needed.")
    request.session["user"] = name
    return RedirectResponse(request.url_for("index"), 303)


async def write(request: Request) -> Response:
    author = writer(request)
    async with request.form(max_files=1, max_fields=2) as form:
        note = Note(author, checked(form.get("text")))
        picture = form.get("picture")
        if picture and not isinstance(picture, str) and picture.size:
            if picture.content_type not in TYPES:
                raise HTTPException(415, "A picture is a PNG or a JPEG.")
            note.picture = secrets.token_hex(8) + TYPES[picture.content_type]  # never the name that the client gives
            await run_in_threadpool((PICTURES / note.picture).write_bytes, await picture.read())
    request.state.board.add(note)
    return RedirectResponse(request.url_for("index"), 303)


def writer(request: Request) -> str:
    """Return the name of whoever has signed in."""
    user = request.session.get("user")
    if user is None:
        raise HTTPException(401, "Sign in first.")
    return str(user)


def checked(text: object) -> str:
    """Return the text of a note if it is one."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise HTTPException(422, f"A note has between 1 and {MAX_TEXT} characters of text.")
    return text


# --- API ----------------------------------------------------------------------------------------


async def list_notes(request: Request) -> Response:
    notes = request.state.board.notes
    return JSONResponse([{"id": number, **asdict(note)} for number, note in notes.items()])


async def add_note(request: Request) -> Response:
    author = writer(request)
    try:
        given = await request.json()
    except ValueError:
        raise HTTPException(400, "The body is not JSON.") from None
    number = request.state.board.add(Note(author, checked(given.get("text") if isinstance(given, dict) else None)))
    where = request.url_for("read_note", number=number)
    return JSONResponse({"id": number}, 201, headers={"location": str(where)})


async def read_note(request: Request) -> Response:
    note = request.state.board.notes.get(request.path_params["number"])
    if note is None:
        raise HTTPException(404, "No such note.")
    return JSONResponse(asdict(note))


async def failed(request: Request, error: Exception) -> Response:
    """Answer the API's errors as JSON, and those of pages as text."""
    assert isinstance(error, HTTPException)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
    return HTMLResponse(f"<p>{escape(error.detail)}\n", error.status_code, headers=error.headers)


async def news(websocket: WebSocket) -> None:
    """Send a line of JSON for each new note until the client leaves."""
    await websocket.accept()
    lines: asyncio.Queue[str] = asyncio.Queue(MAX_BEHIND)
    listeners = websocket.state.board.listeners
    listeners.add(lines)
    sending = asyncio.create_task(send_all(websocket, lines))
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        listeners.remove(lines)
        sending.cancel()


async def send_all(websocket: WebSocket, lines: "asyncio.Queue[str]") -> None:
    try:
        while True:
            await websocket.send_text(await lines.get())
    except WebSocketDisconnect:
        pass  # the client has gone; whoever reads from it notices as well


app = Application(
    routes=[
        Route("/", index),
        Route("/sign-in", sign_in, methods=["POST"]),
        Route("/notes", write, methods=["POST"]),
        Route("/api/notes", list_notes),
        Route("/api/notes", add_note, methods=["POST"]),
        Route("/api/notes/{number:int}", read_note),
        WebSocketRoute("/news", news),
        Mount("/pictures", StaticFiles(directory=PICTURES), name="pictures"),
    ],
    middleware=[Middleware(SessionMiddleware, secret_key=os.environ.get("BOARD_SECRET") or secrets.token_hex())],
    exception_handlers={HTTPException: failed},
    lifespan=lifespan,
    max_body_size=MAX_BODY,
)
