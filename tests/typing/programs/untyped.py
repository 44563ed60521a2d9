"""A program in Starlette's vocabulary."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from portico.web.applications import Application
from portico.web.authentication import requires
from portico.web.background import BackgroundTask
from portico.web.config import Config
from portico.web.datastructures import CommaSeparatedStrings, Headers, QueryParams, Secret, UploadFile
from portico.web.endpoints import HTTPEndpoint, WebSocketEndpoint
from portico.web.exceptions import HTTPException
from portico.web.middleware import Middleware
from portico.web.middleware.sessions import SessionMiddleware
from portico.web.requests import Request
from portico.web.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from portico.web.routing import Host, Mount, Route, Router, WebSocketRoute
from portico.web.templating import Jinja2Templates
from portico.web.websockets import WebSocket

config = Config(env_prefix="APP_")
DEBUG: bool = config("DEBUG", cast=bool, default=False)
KEY: Secret = config("KEY", cast=Secret, default="x")
HOSTS: CommaSeparatedStrings = config("HOSTS", cast=CommaSeparatedStrings, default="a, b")
templates = Jinja2Templates(directory="templates")


async def home(request: Request) -> Response:
    query: QueryParams = request.query_params
    headers: Headers = request.headers
    if query.getlist("q") and "x-a" in headers:
        raise HTTPException(status_code=404, detail="Not here")
    return templates.TemplateResponse(request, "home.html", {"user": request.session.get("user")})


def item(request: Request) -> JSONResponse:
    number: int = request.path_params["number"]
    return JSONResponse({"number": number}, background=BackgroundTask(print, "done"))


@requires("authenticated", redirect="home")
async def upload(request: Request) -> Response:
    async with request.form(max_files=1) as form:
        file = form["file"]
        size = len(await file.read()) if isinstance(file, UploadFile) else len(file)
    return RedirectResponse(request.url_for("item", number=size), status_code=303)


class Thing(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return HTMLResponse("<p>thing")


class Echo(WebSocketEndpoint):
    encoding = "text"

    async def on_receive(self, websocket: WebSocket, data: str) -> None:
        await websocket.send_text(data)


async def failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 500)


@asynccontextmanager
async def lifespan(app: Application) -> AsyncIterator[dict[str, int]]:
    yield {"started": 1}


api = Router([Route("/{number:int}", item, name="item", methods=["GET"])])
app = Application(
    debug=DEBUG,
    routes=[
        Route("/", home, name="home"),
        Route("/upload", upload, methods=["POST"]),
        Route("/thing", Thing),
        WebSocketRoute("/echo", Echo),
        Mount("/items", app=api, name="items"),
        Host("api.example.org", api),
    ],
    middleware=[Middleware(SessionMiddleware, secret_key=str(KEY))],
    exception_handlers={500: failed, HTTPException: failed},
    lifespan=lifespan,
)
