"""The files of a directory as an application to be mounted."""

import os
import re
from stat import S_ISDIR, S_ISREG

from portico.asgi import Receive, Scope, Send
from portico.files.directory import Directory, Fallback, wants_page
from portico.files.paths import find_below, safe_path
from portico.files.threads import in_thread
from portico.http.validators import evaluate
from portico.web.datastructures import Headers
from portico.web.exceptions import HTTPException
from portico.web.responses import FileResponse, RedirectResponse, Response
from portico.web.routing.paths import get_route_path
from portico.web.websockets import WebSocketClose

PathLike = str | os.PathLike[str]

# A subclass that has its own of one of these gets the calls that it expects; others get the short way.
HOOKS = ("get_path", "get_response", "file_response", "is_not_modified", "lookup_path")


class NotModifiedResponse(Response):
    """A 304 with those of the fields that it may have (RFC 9110 §15.4.5)."""

    NOT_MODIFIED_HEADERS = ("cache-control", "content-location", "date", "etag", "expires", "vary")

    def __init__(self, headers: Headers) -> None:
        kept = {name: value for name, value in headers.items() if name in self.NOT_MODIFIED_HEADERS}
        super().__init__(status_code=304, headers=kept)


class StaticFiles:
    """Serve the files of a directory, with validators, conditional requests and ranges.

    What is not there, what may not be read and what lies outside all get the same 404.

    Args:
        directory: Where the files are.
        packages: Packages that have files in their directory `statics`, or pairs of a package and a directory in it.
        html: Whether `index.html` stands for its directory, and `404.html` answers for what is not there.
        check_dir: Whether it is an error at once if the directory is not there, rather than at the first request.
        follow_symlink: Whether symbolic links may lead out of the directory.
        fallback: What answers for what is not there: `404.html`; `index.html`, with status 200, where a browser asks
            for a page, for applications that have their routes in the browser; `auto` for the one that exists.
        dotfiles: Whether what begins with a dot is served; `.well-known` is.
        cache_control: The Cache-Control field of all files.
        immutable: Whether names with a hash in them (`app.3f2a9c1d.js`) may be kept for ever; or a regular expression
            that is searched for in names.
        precompressed: Whether `app.js.br`, `app.js.zst` or `app.js.gz` is sent for `app.js` to clients that take it.
    """

    def __init__(
        self,
        *,
        directory: PathLike | None = None,
        packages: list[str | tuple[str, str]] | None = None,
        html: bool = False,
        check_dir: bool = True,
        follow_symlink: bool = False,
        fallback: Fallback | None = None,
        dotfiles: bool = False,
        cache_control: str | None = None,
        immutable: bool | str | re.Pattern[str] = False,
        precompressed: bool = False,
    ) -> None:
        self.directory = directory
        self.packages = packages
        self.all_directories = self.get_directories(directory, packages)
        self.html = html
        self._fallback = fallback
        self._dotfiles = dotfiles
        self.config_checked = False
        self.follow_symlink = follow_symlink
        if check_dir and directory is not None and not os.path.isdir(directory):
            raise RuntimeError(f"Directory '{directory}' does not exist")
        self._files = Directory(
            self.all_directories,
            html=html,
            fallback=fallback,
            follow_symlinks=follow_symlink,
            dotfiles=dotfiles,
            cache_control=cache_control,
            immutable=immutable,
            precompressed=precompressed,
        )
        self._hooked = any(getattr(type(self), name) is not OWN[name] for name in HOOKS)

    def get_directories(
        self, directory: PathLike | None = None, packages: list[str | tuple[str, str]] | None = None
    ) -> list[PathLike]:
        """Return the directories that files are looked for in, in this order."""
        directories: list[PathLike] = [] if directory is None else [directory]
        directories += [_package_directory(package) for package in packages or ()]
        return directories

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        if not self.config_checked:
            await self.check_config()
            self.config_checked = True
        if self._hooked or type(self).lookup_path is not OWN["lookup_path"]:
            response = await self.get_response(self.get_path(scope), scope)
            await response(scope, receive, send)
            return
        status = await self._files.answer(scope, receive, send, get_route_path(scope))
        if status:
            raise _refusal(status)

    def get_path(self, scope: Scope) -> str:
        """Return the path that the request names, relative to the directory, as the platform writes it."""
        return os.path.normpath(os.path.join(*get_route_path(scope).split("/")))

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return what answers a request for the path.

        Raises:
            HTTPException: 405 for methods other than GET and HEAD; 404 for what is not there.
        """
        if scope["method"] not in ("GET", "HEAD"):
            raise _refusal(405)
        full_path, result = await self._look_up(path)
        if result is not None and S_ISREG(result.st_mode):
            return self.file_response(full_path, result, scope)
        if result is not None and S_ISDIR(result.st_mode) and (self.html or self._fallback is not None):
            full_path, result = await self._look_up(os.path.join(path, "index.html"))
            if result is not None and S_ISREG(result.st_mode):
                if not scope["path"].endswith("/"):
                    return RedirectResponse("./" + scope["path"].rpartition("/")[2] + "/")
                return self.file_response(full_path, result, scope)
        return await self._missing_response(path, scope)

    async def _missing_response(self, path: str, scope: Scope) -> Response:
        if self._fallback in ("auto", "404.html") or (self.html and self._fallback is None):
            full_path, result = await self._look_up("404.html")
            if result is not None and S_ISREG(result.st_mode):
                return self.file_response(full_path, result, scope, 404)
        if self._fallback in ("auto", "index.html") and wants_page(scope, path):
            full_path, result = await self._look_up("index.html")
            if result is not None and S_ISREG(result.st_mode):
                return self.file_response(full_path, result, scope)
        raise _refusal(404)

    async def _look_up(self, path: str) -> tuple[str, os.stat_result | None]:
        try:
            return await in_thread(self.lookup_path, path)
        except (PermissionError, ValueError):  # from a subclass
            return "", None

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Return the full path and the `stat` of what is there, or an empty path and None. It may block."""
        if path.startswith(("/", "\\")):
            return "", None
        relative = safe_path(path.replace(os.sep, "/"), dotfiles=self._dotfiles)
        found = None
        if relative is not None:
            roots = [os.fspath(directory) for directory in self.all_directories]
            found = find_below(roots, relative, follow_symlinks=self.follow_symlink)
        return ("", None) if found is None else found

    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return the response with a file, or the 304 if the client has it."""
        response = FileResponse(full_path, status_code=status_code, stat_result=stat_result)
        caching = self._files.caching_field(os.path.basename(full_path))
        if caching is not None:
            response.raw_headers.append(caching)
        if status_code == 200 and self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response

    async def check_config(self) -> None:
        """Raise a RuntimeError if the directory is none, rather than answer everything with 404."""
        if self.directory is None:
            return
        try:
            result = await in_thread(os.stat, self.directory)
        except FileNotFoundError:
            raise RuntimeError(f"StaticFiles directory '{self.directory}' does not exist.") from None
        if not S_ISDIR(result.st_mode):
            raise RuntimeError(f"StaticFiles path '{self.directory}' is not a directory.")

    def is_not_modified(self, response_headers: Headers, request_headers: Headers) -> bool:
        """Tell whether the conditions of a GET or HEAD request lead to a 304."""
        etag, modified = response_headers.get("etag"), response_headers.get("last-modified")
        fields = {
            name.encode(): value.encode("latin-1")
            for name in ("if-none-match", "if-modified-since")
            if (value := request_headers.get(name)) is not None
        }
        status = evaluate(
            fields,
            None if etag is None else etag.encode("latin-1"),
            None if modified is None else modified.encode("latin-1"),
        )
        return status == 304


OWN = {name: getattr(StaticFiles, name) for name in HOOKS}


def _refusal(status: int) -> HTTPException:
    return HTTPException(status, headers={"Allow": "GET, HEAD"} if status == 405 else None)


def _package_directory(package: str | tuple[str, str]) -> str:
    from importlib.util import find_spec

    name, directory = package if isinstance(package, tuple) else (package, "statics")
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"Package {name!r} could not be found.")
    path = os.path.normpath(os.path.join(spec.origin, "..", directory))
    if not os.path.isdir(path):
        raise RuntimeError(f"Directory {directory!r} in package {name!r} could not be found.")
    return path
