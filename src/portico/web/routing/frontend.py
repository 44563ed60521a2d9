"""A frontend: the files that a browser application was built into, served where no route leads.

It comes after every route, whichever router has it, and the longest path of all frontends wins. What the browser's own
router knows gets the application's page, for which it has to be a page that the client asks for.
"""

import os
import warnings
from collections.abc import Iterable, Sequence
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Any, Literal

from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.files.directory import Fallback, wants_page
from portico.files.threads import in_thread
from portico.web.datastructures import URLPath
from portico.web.exceptions import HTTPException
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.routing.paths import NoMatchFound, RouteError, get_route_path
from portico.web.routing.routes import BaseRoute, Match
from portico.web.staticfiles import StaticFiles

if TYPE_CHECKING:
    from portico.web.params import Depends
    from portico.web.plan.handler import OverridesProvider

PathLike = str | os.PathLike[str]

READING = ("GET", "HEAD")
# Says "development" where an application is worked on, whose frontend may not be built yet.
ENVIRONMENTS = ("PORTICO_ENV", "FASTAPI_ENV")


def check_directory(directory: PathLike, check_dir: bool | Literal["auto"] = "auto", *, stacklevel: int = 3) -> bool:
    """Tell whether the directory has to be there now; where it is only missed in development, warn of it.

    Args:
        directory: The files of the frontend.
        check_dir: What the program says; `auto` is True except in development.
        stacklevel: How far up the warning is to point; 3 is the caller of the function that calls this one.
    """
    if check_dir != "auto":
        return check_dir
    if "development" not in map(os.environ.get, ENVIRONMENTS):
        return True
    if not os.path.isdir(directory):
        warnings.warn(_missing_directory(directory), stacklevel=stacklevel)
    return False


def _missing_directory(directory: PathLike) -> str:
    return (
        f"the directory {os.fspath(directory)!r} of the frontend does not exist; it would be {_full(directory)!r}. "
        "Build the frontend first, or say check_dir=False"
    )


def _full(directory: PathLike) -> str:
    return os.path.realpath(directory)


class FrontendFiles(StaticFiles):
    """The files of one frontend.

    Args:
        directory: Where they are.
        fallback: What answers for what is not there, as for StaticFiles; None leaves it at a 404.
        check_dir: Whether directory and fallback have to be there now.
    """

    def __init__(self, *, directory: PathLike, fallback: Fallback | None, check_dir: bool) -> None:
        if fallback not in ("auto", "index.html", "404.html", None):
            raise RouteError(f"fallback is 'auto', 'index.html', '404.html' or None, not {fallback!r}")
        if check_dir and not os.path.isdir(directory):
            raise RuntimeError(_missing_directory(directory))
        super().__init__(directory=directory, html=True, fallback=fallback, check_dir=False)
        self.fallback = self._files.fallback = fallback
        if check_dir and fallback in ("index.html", "404.html") and not self._has(fallback):
            raise self._missing_fallback()

    async def serve(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Send what is at the path below the frontend's own.

        Raises:
            HTTPException: 404 for what is not there, 405 for a file that is not only to be read.
        """
        if not self.config_checked:
            await self.check_config()
            self.config_checked = True
        status = await self._files.answer(scope, receive, send, path)
        if status == 405 and await in_thread(self._has, path):
            raise HTTPException(405, headers={"Allow": ", ".join(READING)})
        if status == 404 and self._falls_back(scope, path) and not await in_thread(self._has, str(self.fallback)):
            raise self._missing_fallback()
        if status:
            raise HTTPException(404)

    def _has(self, path: str) -> bool:
        """Tell whether there is a file at the path, or a directory with a page. It may block."""
        path = path.lstrip("/")
        _, found = self.lookup_path(path)
        if found is not None and S_ISDIR(found.st_mode):
            _, found = self.lookup_path(os.path.join(path, "index.html"))
        return found is not None and S_ISREG(found.st_mode)

    def _falls_back(self, scope: Scope, path: str) -> bool:
        return self.fallback == "404.html" or (self.fallback == "index.html" and wants_page(scope, path))

    def _missing_fallback(self) -> RuntimeError:
        assert self.directory is not None
        return RuntimeError(
            f"{self.fallback!r}, the fallback of the frontend, does not exist in the directory "
            f"{os.fspath(self.directory)!r}, which is {_full(self.directory)!r}. Build it, or choose another fallback"
        )


class FrontendRoute(BaseRoute):
    """Leads what is below a path to the files of a frontend.

    Args:
        path: Where the frontend begins; "/" for everywhere.
        directory: Its files.
        fallback: What answers for what is not there: `404.html`; `index.html`, with status 200, where a page is asked
            for; `auto` for the one that exists; None for a 404.
        check_dir: Whether directory and fallback have to be there now.
        dependencies: What is called before a file is sent.
        dependency_overrides_provider: The application whose overrides of dependencies count.
    """

    include_in_schema = False

    def __init__(
        self,
        path: str,
        *,
        directory: PathLike,
        fallback: Fallback | None = "auto",
        check_dir: bool = True,
        dependencies: Sequence["Depends"] = (),
        dependency_overrides_provider: "OverridesProvider | None" = None,
    ) -> None:
        if not path.startswith("/"):
            raise RouteError(f"the path of a frontend starts with '/', got {path!r}")
        self._place("", path)
        self.app = FrontendFiles(directory=directory, fallback=fallback, check_dir=check_dir)
        self._depend(dependencies, dependency_overrides_provider)

    def included(
        self, prefix: str, dependencies: Sequence["Depends"], dependency_overrides_provider: "OverridesProvider | None"
    ) -> "FrontendRoute":
        """Return the same frontend below a prefix, with dependencies that come before its own."""
        route = FrontendRoute.__new__(FrontendRoute)
        route._place(prefix, self.path)
        route.app = self.app
        route._depend([*dependencies, *self.dependencies], dependency_overrides_provider)
        return route

    def _place(self, prefix: str, path: str) -> None:
        self.path = (prefix + path).rstrip("/") or "/"
        self.path_format = f"{self.path.rstrip('/')}/{{path}}"
        self.methods = set(READING)

    def _depend(
        self, dependencies: Sequence["Depends"], dependency_overrides_provider: "OverridesProvider | None"
    ) -> None:
        self.dependencies = list(dependencies)
        self._guarded: ASGIApp | None = None
        if dependencies:
            self._guarded = guarded(self._respond, self.dependencies, dependency_overrides_provider)

    def below(self, path: str) -> str | None:
        """Return the part of a path that is below the frontend's own; None where it is elsewhere."""
        if self.path == "/":
            return path
        rest = path[len(self.path) :] if path.startswith(self.path) else None
        return rest if rest is None or rest[:1] in ("", "/") else None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or self.below(get_route_path(scope)) is None:
            return Match.NONE, {}
        return (Match.FULL if scope["method"] in READING else Match.PARTIAL), {"route": self, "endpoint": self.app}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._guarded is not None and scope["method"] in READING:
            await self._guarded(scope, receive, send)
        else:
            await self.app.serve(scope, receive, send, self.below(get_route_path(scope)) or "")

    async def _respond(self, request: Request, response: Response) -> Response:
        return FilesResponse(self.app, self.below(get_route_path(request.scope)) or "", response)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        raise NoMatchFound(name, path_params)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self.path!r}, directory={self.app.directory!r})"


class FilesResponse(Response):
    """What a frontend has at a path, with the fields that dependencies have set."""

    def __init__(self, files: FrontendFiles, path: str, injected: Response) -> None:
        super().__init__()
        self.raw_headers = injected.raw_headers
        self.files = files
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_fields(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.raw_headers]}
            await send(message)

        await self.files.serve(scope, receive, with_fields if self.raw_headers else send, self.path)
        if self.background is not None:
            await self.background()


def guarded(
    endpoint: Any, dependencies: Sequence["Depends"], overrides_provider: "OverridesProvider | None"
) -> ASGIApp:
    """Return an application of an endpoint of the typed framework, behind the dependencies."""
    from portico.web.plan.handler import RequestHandler, request_response
    from portico.web.plan.results import ResultPlan
    from portico.web.routing.signatures import read_signature

    dependant = read_signature("", endpoint, dependencies)
    result = ResultPlan(call=endpoint)
    return request_response(RequestHandler(dependant, result=result, overrides_provider=overrides_provider))


class FrontendRoutes(BaseRoute):
    """The frontends of an application, of which the one with the longest path answers."""

    def __init__(self, routes: Iterable[FrontendRoute] = ()) -> None:
        self.routes = list(routes)
        self._sort()

    def add(self, route: FrontendRoute) -> None:
        """Add a frontend; of two with the same path the first one counts."""
        self.routes.append(route)
        self._sort()

    def _sort(self) -> None:
        self.routes.sort(key=lambda route: -len(route.path))

    def find(self, scope: Scope) -> tuple[FrontendRoute | None, Match, Scope]:
        """Return the frontend that answers, how well it fits, and what the scope is updated with."""
        for route in self.routes:
            match, child_scope = route.matches(scope)
            if match is not Match.NONE:
                return route, match, child_scope
        return None, Match.NONE, {}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self.find(scope)[1:]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, _, child_scope = self.find(scope)
        if route is None:
            raise HTTPException(404)
        scope.update(child_scope)
        await route.handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        raise NoMatchFound(name, path_params)
