"""Formats of errors: answers and document follow one declaration, and what a program says itself goes before."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from portico.web import APIRouter, HTTPException, Portico, Request, WebSocket
from portico.web.errorformats import ErrorFormat, Problem, ProblemDetails
from portico.web.exceptions import RequestValidationError
from portico.web.openapi.utils import get_openapi
from portico.web.responses import HTMLResponse, JSONResponse, PlainTextResponse
from portico.web.testclient import TestClient, WebSocketDenialResponse

PROBLEM = "application/problem+json"


class Envelope(BaseModel):
    code: int
    message: str


class Enveloped(ErrorFormat):
    """A format as a program has it."""

    validation_status = 400

    def http_error(self, request: Request, error: HTTPException) -> Envelope:
        return Envelope(code=error.status_code, message=error.detail)

    def validation_error(self, request: Request, error: RequestValidationError) -> list[Envelope]:
        return [Envelope(code=1, message=item["msg"]) for item in error.errors()]


class Tea(BaseModel):
    name: str
    prices: dict[str, float] = {}


def teas(**options: Any) -> Portico:
    """Return an application with a route for each kind of error."""
    app = Portico(**options)

    @app.get("/teas/{number}")
    def read(number: int) -> int:
        return number

    @app.post("/teas")
    def add(tea: Tea) -> None: ...

    @app.get("/errors/{status}")
    def fail(status: int) -> None:
        if status == 500:
            raise ZeroDivisionError("secret")
        raise HTTPException(status, "No tea.", {"x-tea": "green"})

    return app


def client(app: Portico) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


def problem(app: Portico, path: str, method: str = "GET", **options: Any) -> dict[str, Any]:
    answer = client(app).request(method, path, **options)
    assert answer.headers["content-type"] == PROBLEM
    found: dict[str, Any] = answer.json()
    assert found["status"] == answer.status_code
    return found


def responses(app: Portico, path: str = "/", method: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = app.openapi()["paths"][path][method]["responses"]
    return found


def schema(model: str) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{model}"}}


# A format of the program's own.


def test_an_http_exception_is_answered_in_the_format_with_its_status_and_fields() -> None:
    answer = client(teas(error_format=Enveloped())).get("/errors/418")
    assert (answer.status_code, answer.json()) == (418, {"code": 418, "message": "No tea."})
    assert (answer.headers["content-type"], answer.headers["x-tea"]) == ("application/json", "green")


def test_paths_and_methods_that_there_are_not_are_answered_in_the_format() -> None:
    asked = client(teas(error_format=Enveloped()))
    assert asked.get("/nowhere").json() == {"code": 404, "message": "Not Found"}
    answer = asked.delete("/teas/1")
    assert answer.json() == {"code": 405, "message": "Method Not Allowed"}
    assert answer.headers["allow"].startswith("GET")


def test_a_request_that_does_not_fit_is_answered_in_the_format_with_its_status() -> None:
    answer = client(teas(error_format=Enveloped())).post("/teas", json={})
    assert (answer.status_code, answer.json()) == (400, [{"code": 1, "message": "Field required"}])


def test_an_unhandled_exception_is_answered_in_the_format_without_what_it_says() -> None:
    answer = client(teas(error_format=Enveloped())).get("/errors/500")
    assert (answer.status_code, answer.json()) == (500, {"code": 500, "message": "Internal Server Error"})
    with pytest.raises(ZeroDivisionError):
        TestClient(teas(error_format=Enveloped())).get("/errors/500")


def test_a_debugged_application_shows_unhandled_exceptions_all_the_same() -> None:
    assert "ZeroDivisionError" in client(teas(error_format=Enveloped(), debug=True)).get("/errors/500").text


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_stays_without_one(status: int) -> None:
    answer = client(teas(error_format=Enveloped())).get(f"/errors/{status}")
    assert (answer.content, answer.headers["x-tea"]) == (b"", "green")


def test_an_error_before_a_websocket_is_accepted_refuses_it_in_the_format() -> None:
    app = Portico(error_format=Enveloped())

    @app.websocket("/")
    async def talk(websocket: WebSocket) -> None:
        raise HTTPException(403, "No tea.")

    with pytest.raises(WebSocketDenialResponse) as refused, TestClient(app).websocket_connect("/"):
        pass
    assert refused.value.json() == {"code": 403, "message": "No tea."}


def test_what_the_methods_return_is_what_the_document_shows() -> None:
    app = Portico(error_format=Enveloped())

    @app.get("/", responses={404: {"description": "No such tea."}, "5XX": {}})
    def read(number: int) -> None: ...

    assert responses(app)["400"] == {
        "description": "Validation Error",
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Envelope"},
                    "title": "Validation Error",
                }
            }
        },
    }
    assert responses(app)["404"] == {
        "description": "No such tea.",
        "content": {"application/json": schema("Envelope")},
    }
    assert responses(app)["5XX"]["content"] == {"application/json": schema("Envelope")}
    assert list(app.openapi()["components"]["schemas"]) == ["Envelope"]


def test_a_method_that_does_not_say_what_it_returns_is_shown_as_anything() -> None:
    class Vague(ErrorFormat):
        def validation_error(self, request: Request, error: RequestValidationError) -> Any:
            return "no"

    app = Portico(error_format=Vague())

    @app.get("/", responses={404: {}})
    def read(number: int) -> None: ...

    assert responses(app)["422"]["content"] == {"application/json": {"schema": {}}}
    assert "content" not in responses(app)["404"]


def test_an_operation_that_takes_nothing_shows_no_answer_to_what_does_not_fit() -> None:
    app = Portico(error_format=Enveloped())

    @app.get("/")
    def read() -> None: ...

    assert list(responses(app)) == ["200"]
    assert "components" not in app.openapi()


@pytest.mark.parametrize("declared", [400, "4XX", "default"])
def test_a_response_that_a_route_declares_goes_before_the_formats(declared: int | str) -> None:
    app = Portico(error_format=Enveloped())

    @app.get("/", responses={declared: {"description": "Bad", "content": {"text/plain": {}}}})
    def read(number: int) -> None: ...

    assert responses(app) | {"200": 0} == {
        "200": 0,
        str(declared): {"description": "Bad", "content": {"text/plain": {}}},
    }


def test_a_declared_model_of_an_error_is_shown_in_the_media_type_of_the_format() -> None:
    app = Portico(error_format=ProblemDetails(), default_response_class=HTMLResponse)

    @app.get("/", responses={404: {"model": Tea}, 202: {"model": Tea}})
    def read() -> None: ...

    assert responses(app)["404"]["content"] == {PROBLEM: schema("Tea")}
    assert responses(app)["202"]["content"] == {"text/html": schema("Tea")}


def test_a_document_that_a_program_makes_itself_follows_too() -> None:
    app = teas(error_format=ProblemDetails())
    document = get_openapi(title="Tea", version="1", routes=app.routes)
    assert document["paths"]["/teas"]["post"]["responses"]["422"]["content"] == {PROBLEM: schema("ValidationProblem")}


# What goes before the format.


def test_exception_handlers_of_the_program_go_before_the_format() -> None:
    handlers = {
        404: lambda request, error: PlainTextResponse("nothing", 404),
        RequestValidationError: lambda request, error: PlainTextResponse("wrong", 422),
        Exception: lambda request, error: PlainTextResponse("sorry", 500),
    }
    asked = client(teas(error_format=Enveloped(), exception_handlers=handlers))
    assert [asked.get(path).text for path in ("/nowhere", "/teas/x", "/errors/500")] == ["nothing", "wrong", "sorry"]
    assert asked.get("/errors/409").json()["code"] == 409


@pytest.mark.parametrize("key", [500, Exception])
def test_handlers_that_are_added_later_go_before_the_format(key: int | type[Exception]) -> None:
    app = teas(error_format=Enveloped())

    @app.exception_handler(key)
    async def sorry(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("sorry", 500)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse("http", error.status_code)

    assert client(app).get("/errors/500").text == "sorry"
    assert client(app).get("/nowhere").json() == "http"


def test_a_handler_can_answer_in_the_format() -> None:
    app = teas(error_format=ProblemDetails())

    @app.exception_handler(ZeroDivisionError)
    async def unavailable(request: Request, error: ZeroDivisionError) -> Any:
        assert app.error_format is not None
        return await app.error_format.answer_http_error(request, HTTPException(503, "Come back later."))

    assert problem(app, "/errors/500")["detail"] == "Come back later."


# Routers.


def test_routes_of_included_routers_have_the_applications_format() -> None:
    router = APIRouter()

    @router.get("/{number}")
    def read(number: int) -> int:
        return number

    outer = APIRouter(prefix="/outer")
    outer.include_router(router)
    app = Portico(error_format=Enveloped())
    app.include_router(outer)
    assert client(app).get("/outer/x").status_code == 400
    assert "400" in responses(app, "/outer/{number}")


def test_a_router_may_have_a_format_of_its_own_in_answers_and_document() -> None:
    router = APIRouter(prefix="/v2", error_format=ProblemDetails())

    @router.get("/{number}")
    def read(number: int) -> int:
        raise HTTPException(404)

    app = teas()
    app.include_router(router)
    assert problem(app, "/v2/1")["title"] == "Not Found"
    assert problem(app, "/v2/x")["title"] == "Unprocessable Content"
    assert client(app).get("/errors/404").json() == {"detail": "No tea."}
    assert responses(app, "/v2/{number}")["422"]["content"] == {PROBLEM: schema("ValidationProblem")}
    assert responses(app, "/teas/{number}")["422"]["content"] == {"application/json": schema("HTTPValidationError")}


def test_the_innermost_format_counts_and_a_routers_handlers_go_before_it() -> None:
    async def teapot(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("teapot", 418)

    inner = APIRouter(error_format=ErrorFormat(validation_status=418), exception_handlers={HTTPException: teapot})

    @inner.get("/inner")
    def read(number: int) -> int:
        raise HTTPException(404)

    outer = APIRouter(error_format=Enveloped())
    outer.include_router(inner)
    app = Portico(error_format=ProblemDetails())
    app.include_router(outer)
    assert client(app).get("/inner?number=1").text == "teapot"
    assert client(app).get("/inner").json()["detail"][0]["type"] == "missing"
    assert list(responses(app, "/inner")) == ["200", "418"]


def test_what_others_answer_is_not_in_the_applications_format() -> None:
    called = APIRouter()

    @called.post("/called")
    def call(tea: Tea) -> None: ...

    app = Portico(error_format=ProblemDetails())

    @app.get("/", callbacks=called.routes)
    def read() -> None: ...

    app.webhooks.post("/hook")(lambda number: None)
    operation = app.openapi()["paths"]["/"]["get"]["callbacks"]["call"]["/called"]["post"]
    assert list(operation["responses"]["422"]["content"]) == ["application/json"]
    assert list(app.openapi()["webhooks"]["/hook"]["post"]["responses"]["422"]["content"]) == ["application/json"]


# The default.


def test_without_a_format_and_with_the_one_it_is_derived_from_answers_and_documents_are_fastapis() -> None:
    plain, formatted = teas(), teas(error_format=ErrorFormat())
    assert json.dumps(plain.openapi()) == json.dumps(formatted.openapi())
    for path in ("/nowhere", "/teas/x", "/errors/418"):
        ours, theirs = client(formatted).get(path), client(plain).get(path)
        assert (ours.status_code, ours.headers, ours.content) == (theirs.status_code, theirs.headers, theirs.content)


def test_the_status_of_requests_that_do_not_fit_can_be_changed_alone() -> None:
    app = teas(error_format=ErrorFormat(validation_status=400))
    assert client(app).get("/teas/x").status_code == 400
    assert responses(app, "/teas", "post")["400"] == {
        "description": "Validation Error",
        "content": {"application/json": schema("HTTPValidationError")},
    }
    assert "422" not in responses(app, "/teas", "post")


@pytest.mark.parametrize("status", [200, 500])
def test_requests_that_do_not_fit_are_client_errors(status: int) -> None:
    with pytest.raises(ValueError, match=f"from 400 to 499, got {status}"):
        ErrorFormat(validation_status=status)


# Problem details.


def test_a_problem_has_the_title_of_its_status_and_where_it_was() -> None:
    app = Portico(error_format=ProblemDetails())
    assert problem(app, "/no where") == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "instance": "/no%20where",
    }


def test_a_text_is_the_detail_of_a_problem() -> None:
    assert problem(teas(error_format=ProblemDetails()), "/errors/418")["detail"] == "No tea."


def test_the_items_of_a_mapping_are_members_of_a_problem_but_for_the_status() -> None:
    app = Portico(error_format=ProblemDetails())

    @app.get("/")
    def read() -> None:
        raise HTTPException(403, {"type": "/problems/credit", "title": "No credit", "status": 1, "balance": 30})

    expected = {"type": "/problems/credit", "title": "No credit", "status": 403, "instance": "/", "balance": 30}
    assert problem(app, "/") == expected


def test_what_is_neither_text_nor_mapping_is_the_errors_of_a_problem() -> None:
    app = Portico(error_format=ProblemDetails())

    @app.get("/")
    def read() -> None:
        raise HTTPException(409, ["a", "b"])

    assert problem(app, "/")["errors"] == ["a", "b"]


def test_an_unhandled_exception_is_a_problem_that_says_nothing_about_it() -> None:
    assert problem(teas(error_format=ProblemDetails()), "/errors/500") == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "instance": "/errors/500",
    }


def test_values_that_do_not_fit_are_errors_of_a_problem_without_the_values() -> None:
    found = problem(teas(error_format=ProblemDetails()), "/teas/secret")
    assert found["errors"] == [
        {
            "detail": "Input should be a valid integer, unable to parse string as an integer",
            "type": "int_parsing",
            "loc": ["path", "number"],
        }
    ]


def test_a_place_in_the_body_is_a_json_pointer_too() -> None:
    app = teas(error_format=ProblemDetails())
    found = problem(app, "/teas", "POST", json={"name": "x", "prices": {"a/b~c é": "free"}})
    assert [each["pointer"] for each in found["errors"]] == ["#/prices/a~1b~0c%20%C3%A9"]
    assert [each["pointer"] for each in problem(app, "/teas", "POST", json=[])["errors"]] == ["#"]


def test_a_body_that_is_not_json_has_no_pointer() -> None:
    app = teas(error_format=ProblemDetails())
    found = problem(app, "/teas", "POST", content=b"{", headers={"content-type": "application/json"})
    assert [each.keys() for each in found["errors"]] == [{"detail", "type", "loc"}]


def test_a_place_may_have_any_text_of_the_client() -> None:
    app = Portico(error_format=ProblemDetails())

    @app.get("/")
    def read() -> None:
        raise RequestValidationError([{"msg": "No.", "type": "no", "loc": ("body", "\ud800")}])

    assert problem(app, "/")["errors"] == [{"detail": "No.", "type": "no", "loc": ["body", "?"], "pointer": "#/%3F"}]


def test_errors_that_a_program_raises_need_only_a_message() -> None:
    app = Portico(error_format=ProblemDetails())

    @app.get("/")
    def read() -> None:
        raise RequestValidationError([{"msg": "No."}])

    assert problem(app, "/")["errors"] == [{"detail": "No.", "type": "value_error", "loc": []}]


def test_a_detail_may_repeat_any_text_of_the_client_in_a_format() -> None:
    app = Portico(error_format=ProblemDetails())

    @app.get("/")
    def read() -> None:
        raise HTTPException(404, "no \ud800")

    assert problem(app, "/")["detail"] == "no ?"


def test_what_json_has_no_form_for_is_left_out_of_what_does_not_fit() -> None:
    app = Portico(error_format=ErrorFormat())

    @app.get("/")
    def read() -> None:
        raise RequestValidationError([{"msg": "No.", "input": float("inf")}])

    answer = client(app).get("/")
    assert (answer.status_code, answer.json()) == (422, {"detail": [{"msg": "No.", "input": None}]})


def test_the_document_has_the_schemas_of_problems() -> None:
    app = Portico(error_format=ProblemDetails())

    @app.get("/", responses={404: {}, 422: {}})
    def read(number: int) -> None: ...

    assert responses(app)["404"]["content"] == {PROBLEM: schema("Problem")}
    assert responses(app)["422"]["content"] == {PROBLEM: schema("ValidationProblem")}
    schemas = app.openapi()["components"]["schemas"]
    assert list(schemas) == ["InvalidValue", "Problem", "ValidationProblem"]
    assert schemas["Problem"]["required"] == ["type", "title", "status"]


def test_a_kind_of_problem_with_members_of_its_own_is_a_format_too() -> None:
    class NumberedProblem(Problem):
        number: int

    class Numbered(ProblemDetails):
        def http_error(self, request: Request, error: HTTPException) -> NumberedProblem:
            return {**super().http_error(request, error), "number": 7}

    app = Portico(error_format=Numbered())

    @app.get("/", responses={404: {}})
    def read() -> None:
        raise HTTPException(404)

    assert problem(app, "/")["number"] == 7
    assert responses(app)["404"]["content"] == {PROBLEM: schema("NumberedProblem")}
