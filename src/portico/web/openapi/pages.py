"""The documentation of an application over HTTP: its document, the pages that show it, and what these load."""

import gzip
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from portico.asgi import Receive, Scope, Send
from portico.files.encodings import choose
from portico.http.validators import matches
from portico.web.concurrency import run_in_threadpool
from portico.web.exceptions import HTTPException
from portico.web.openapi.bundles import BUNDLES
from portico.web.openapi.docs import (
    ASSETS,
    FILES,
    REDIRECT,
    beside,
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from portico.web.requests import Request
from portico.web.responses import HTMLResponse, JSONResponse, Response

if TYPE_CHECKING:
    from portico.web.api import Portico

NAMES = {address: name for name, address in BUNDLES.items()}
MEDIA_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
CACHED = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}


def add_documentation(app: "Portico") -> None:
    """Add the routes of the document and its pages: those whose URLs are not None.

    Pages that a program makes itself find what they load all the same, also where there is no document and no route:
    it is answered where nothing else is.
    """
    app.router.default = Unrouted(app.router.default)
    if not app.openapi_url:
        return
    pages = Pages(app)
    app.add_route(app.openapi_url, pages.document, name="openapi", include_in_schema=False)
    if app.docs_url:
        app.add_route(app.docs_url, pages.swagger_ui, name="swagger_ui_html", include_in_schema=False)
        if app.swagger_ui_oauth2_redirect_url:
            app.add_route(
                app.swagger_ui_oauth2_redirect_url, pages.redirect, name="swagger_ui_redirect", include_in_schema=False
            )
    if app.redoc_url:
        app.add_route(app.redoc_url, pages.redoc, name="redoc_html", include_in_schema=False)
    app.add_route(beside(app.openapi_url, ASSETS) + "{asset:path}", asset, name="docs_assets", include_in_schema=False)


class Pages:
    """The endpoints. What they show of the application is what it is when they are asked.

    Args:
        app: The application that is documented.
    """

    def __init__(self, app: "Portico") -> None:
        self.app = app
        self._encoded: tuple[dict[str, Any], str, Response] | None = None

    async def document(self, request: Request) -> Response:
        """Answer with the document; it is encoded once, and again for a new document or another `root_path`."""
        app = self.app
        root_path = _root_path(request)
        # The first time takes long for a large application; other requests go on meanwhile.
        schema = app.openapi() if app.openapi_schema else await run_in_threadpool(app.openapi)
        encoded = self._encoded
        if encoded is None or encoded[0] is not schema or encoded[1] != root_path:
            shown = _served_at(root_path, schema) if root_path and app.root_path_in_servers else schema
            encoded = self._encoded = (schema, root_path, _with_tag(JSONResponse(shown)))
        return _unless_known(request, encoded[2])

    async def swagger_ui(self, request: Request) -> HTMLResponse:
        """Answer with the page of Swagger UI."""
        app = self.app
        root_path = _root_path(request)
        redirect = app.swagger_ui_oauth2_redirect_url
        return get_swagger_ui_html(
            openapi_url=f"{root_path}{app.openapi_url}",
            title=f"{app.title} - Swagger UI",
            oauth2_redirect_url=root_path + redirect if redirect else None,
            init_oauth=app.swagger_ui_init_oauth,
            swagger_ui_parameters=app.swagger_ui_parameters,
        )

    async def redirect(self, request: Request) -> HTMLResponse:
        """Answer with the page that a login comes back to."""
        script_url = beside(f"{_root_path(request)}{self.app.openapi_url}", REDIRECT)
        return get_swagger_ui_oauth2_redirect_html(script_url=script_url)

    async def redoc(self, request: Request) -> HTMLResponse:
        """Answer with the page of ReDoc, which asks no other host for fonts."""
        return get_redoc_html(
            openapi_url=f"{_root_path(request)}{self.app.openapi_url}",
            title=f"{self.app.title} - ReDoc",
            with_google_fonts=False,
        )


class Unrouted:
    """What answers where no route does: with the pages' files, and as before with anything else.

    Args:
        default: What has answered before.
    """

    def __init__(self, default: Any) -> None:
        self.default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and f"/{ASSETS}" in scope["path"] and scope["method"] in ("GET", "HEAD"):
            name = scope["path"].rpartition(f"/{ASSETS}")[2]
            if name in NAMES:
                response = await _answer(Request(scope, receive), name)
                await response(scope, receive, send)
                return
        await self.default(scope, receive, send)


async def asset(request: Request) -> Response:
    """Answer with a file of the pages. Its address changes with its content, so it may be kept for ever."""
    return await _answer(request, request.path_params["asset"])


async def _answer(request: Request, address: str) -> Response:
    name = NAMES.get(address)
    if name is None:
        raise HTTPException(404)
    tag, ending = address.rsplit(".", 2)[1:]
    headers = CACHED
    compressed = not (FILES / name).exists()
    unpack = False
    if compressed:
        unpack = choose(request.headers.get("accept-encoding", "").encode("latin-1"), ("gzip",)) is None
        headers = {**CACHED, "vary": "accept-encoding"}
        if not unpack:
            tag += "-gzip"
            headers["content-encoding"] = "gzip"
    headers = {**headers, "etag": f'"{tag}"'}
    if _is_known(request, headers["etag"]):
        return Response(status_code=304, headers=headers)
    content = await run_in_threadpool(_read, f"{name}.gz" if compressed else name, unpack)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[ending])


def _read(name: str, unpack: bool) -> bytes:
    content = (FILES / name).read_bytes()
    return gzip.decompress(content) if unpack else content


def _root_path(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")


def _served_at(root_path: str, schema: dict[str, Any]) -> Mapping[str, Any]:
    """Return the document with the path that a proxy serves it under among its servers."""
    servers = schema.get("servers", [])
    if any(server.get("url") == root_path for server in servers):
        return schema
    return {**schema, "servers": [{"url": root_path}, *servers]}


def _with_tag(response: Response) -> Response:
    response.raw_headers.append((b"etag", b'"%s"' % hashlib.sha256(response.body).hexdigest()[:16].encode()))
    return response


def _unless_known(request: Request, response: Response) -> Response:
    """Return a response of one's own with the content, which others may change; or a 304."""
    tag = response.headers["etag"]
    if _is_known(request, tag):
        return Response(status_code=304, headers={"etag": tag})
    fresh = Response(response.body)
    fresh.raw_headers = list(response.raw_headers)
    return fresh


def _is_known(request: Request, tag: str) -> bool:
    condition = request.headers.get("if-none-match")
    return condition is not None and matches(condition.encode("latin-1"), tag.encode("latin-1"), strong=False)
