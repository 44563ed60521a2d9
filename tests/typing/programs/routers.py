"""An application of several routers, a route class of its own, callbacks, webhooks, mounts, and its document."""

from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import BaseModel

from portico import APIRouter, Depends, HTTPException, Portico, Request, Response
from portico.web.middleware import Middleware
from portico.web.middleware.cors import CORSMiddleware
from portico.web.middleware.gzip import GZipMiddleware
from portico.web.openapi.docs import get_redoc_html, get_swagger_ui_html
from portico.web.openapi.utils import get_openapi
from portico.web.responses import HTMLResponse, JSONResponse
from portico.web.routing import APIRoute, Mount, Route
from portico.web.staticfiles import StaticFiles


class Loud(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            response = await original(request)
            response.headers["x-loud"] = self.path
            return response

        return handler


class Invoice(BaseModel):
    id: str
    total: float


class Received(BaseModel):
    ok: bool


class OutOfTea(Exception):
    pass


async def allowed() -> bool:
    return True


async def out_of_tea(request: Request, error: Exception) -> Response:
    return JSONResponse({"tea": False}, status_code=503)


def unique_id(route: APIRoute) -> str:
    return f"{route.tags[0]}-{route.name}" if route.tags else route.name


invoices = APIRouter(
    prefix="/invoices",
    tags=["invoices"],
    dependencies=[Depends(allowed)],
    responses={404: {"description": "Not found"}},
    route_class=Loud,
    default_response_class=JSONResponse,
    generate_unique_id_function=unique_id,
    middleware=[Middleware(GZipMiddleware, minimum_size=1000)],
    exception_handlers={OutOfTea: out_of_tea},
)
callbacks = APIRouter()


@callbacks.post("{$callback_url}/invoices/{$request.body.id}", response_model=Received)
def received(body: Invoice) -> None: ...


@invoices.post("/", callbacks=callbacks.routes)
async def create_invoice(invoice: Invoice, callback_url: str | None = None) -> Received:
    if invoice.total < 0:
        raise HTTPException(422, {"total": "negative"}, headers={"x-reason": "negative"})
    return Received(ok=callback_url is not None)


async def read_plain(request: Request) -> Response:
    return Response("plain")


app = Portico(
    routes=[Route("/plain", read_plain)],
    middleware=[Middleware(CORSMiddleware, allow_origins=["*"])],
    openapi_tags=[{"name": "invoices", "description": "Money"}],
    servers=[{"url": "https://example.org"}],
    docs_url=None,
    redoc_url=None,
    swagger_ui_parameters={"syntaxHighlight": False},
    contact={"name": "Ada"},
)
app.include_router(invoices)
app.include_router(invoices, prefix="/v2", tags=["v2"], include_in_schema=False)
app.add_middleware(GZipMiddleware, minimum_size=500, compresslevel=5)
app.mount("/static", StaticFiles(directory="static", check_dir=False), name="static")
app.mount("/inner", Portico(routes=[Mount("/more", routes=[Route("/plain", read_plain)])]))
app.add_api_route("/added", create_invoice, methods=["POST"], name="added", response_model=Received)


@app.webhooks.post("new-invoice")
def new_invoice(body: Invoice) -> None: ...


@app.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    return get_swagger_ui_html(openapi_url=app.openapi_url or "", title=f"{app.title} docs")


@app.get("/redoc", include_in_schema=False)
async def redoc() -> HTMLResponse:
    return get_redoc_html(openapi_url="/openapi.json", title="docs")


def custom_openapi() -> dict[str, Any]:
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title="Custom", version="2.5.0", summary="A summary", routes=app.routes)
    document["info"]["x-logo"] = {"url": "logo.png"}
    app.openapi_schema = document
    return document


app.openapi = custom_openapi  # type: ignore[method-assign]

for route in app.routes:
    if isinstance(route, APIRoute):
        route.operation_id = route.name
url: str = app.url_path_for("create_invoice")
