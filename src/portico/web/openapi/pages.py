"""The documentation of an application over HTTP: its document, and the pages that show it."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from portico.web.concurrency import run_in_threadpool
from portico.web.openapi.docs import (
    ASSETS,
    REDIRECT,
    beside,
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from portico.web.openapi.shipped import Unrouted, asset, is_known
from portico.web.requests import Request
from portico.web.responses import HTMLResponse, JSONResponse, Response

if TYPE_CHECKING:
    from portico.web.api import Portico


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
    if is_known(request, tag):
        return Response(status_code=304, headers={"etag": tag})
    fresh = Response(response.body)
    fresh.raw_headers = list(response.raw_headers)
    return fresh
