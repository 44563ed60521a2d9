"""Classes of Starlette and FastAPI in a typed program: what does as well as ours, and what is refused."""

from typing import Annotated, Any

import fastapi
import pytest
from starlette.background import BackgroundTask as StarletteBackgroundTask
from starlette.responses import HTMLResponse as StarletteHTMLResponse
from starlette.responses import JSONResponse as StarletteJSONResponse

from portico.web import APIRouter, BackgroundTasks, Depends, Portico, Request, WebSocket, WebSocketDisconnect
from portico.web.exceptions import DefinitionError
from portico.web.params import ParameterError
from portico.web.plan.peers import response_types
from portico.web.responses import Response
from portico.web.testclient import TestClient


def check() -> None: ...


def by_default(user: str = fastapi.Depends(check)) -> None: ...


def in_annotated(user: Annotated[str, fastapi.Depends(check)]) -> None: ...


def security(user: Annotated[str, fastapi.Security(check, scopes=["me"])]) -> None: ...


def query(page: int = fastapi.Query(3)) -> None: ...


def header(x_token: Annotated[str, fastapi.Header()]) -> None: ...


def body(item: Annotated[dict[str, int], fastapi.Body(embed=True)]) -> None: ...


@pytest.mark.parametrize("endpoint", [by_default, in_annotated, security, query, header, body])
def test_a_declaration_of_fastapi_is_refused_when_the_route_is_made(endpoint: Any) -> None:
    with pytest.raises(ParameterError, match=r"of fastapi\.params.* import \w+ from portico\.web"):
        Portico().add_api_route("/", endpoint)


def test_a_dependency_of_fastapi_in_a_list_is_refused() -> None:
    theirs: Any = fastapi.Depends(check)
    with pytest.raises(ParameterError, match=r"import Depends from portico\.web"):
        Portico().add_api_route("/", check, dependencies=[theirs])
    with pytest.raises(ParameterError, match=r"import Depends from portico\.web"):
        APIRouter(dependencies=[theirs]).add_api_route("/", check)


@pytest.mark.parametrize("annotation", [fastapi.UploadFile, fastapi.UploadFile | None, list[fastapi.UploadFile]])
def test_the_uploaded_file_of_fastapi_is_refused(annotation: Any) -> None:
    def receive(file: Any) -> None: ...

    receive.__annotations__["file"] = annotation
    with pytest.raises(ParameterError, match=r"import UploadFile from portico\.web"):
        Portico().add_api_route("/", receive, methods=["POST"])


def test_who_asks_for_an_object_of_starlette_gets_ours() -> None:
    got: list[object] = []

    def remembered(connection: fastapi.requests.HTTPConnection) -> None:
        got.append(connection)

    def read(
        request: fastapi.Request,
        response: fastapi.Response,
        tasks: fastapi.BackgroundTasks,
        none: Annotated[None, Depends(remembered)],
    ) -> str:
        got.extend([request, tasks])
        response.headers["x-seen"] = "yes"
        tasks.add_task(got.append, "task")
        return str(request.url.path)

    app = Portico()
    app.add_api_route("/", read)
    answer = TestClient(app).get("/")
    assert (answer.json(), answer.headers["x-seen"], got[-1]) == ("/", "yes", "task")
    assert [type(one) for one in got[:3]] == [Request, Request, BackgroundTasks]


def test_who_asks_for_the_websocket_of_starlette_gets_ours() -> None:
    got: list[object] = []
    app = Portico()

    @app.websocket("/")
    async def talk(socket: fastapi.WebSocket) -> None:
        got.append(type(socket))
        await socket.accept()
        await socket.close()

    with TestClient(app).websocket_connect("/"):
        assert got == [WebSocket]


@pytest.mark.parametrize("response_class", [None, StarletteHTMLResponse])
def test_a_response_of_starlette_is_sent_as_it_is(response_class: Any) -> None:
    done: list[str] = []
    app = Portico()
    options = {} if response_class is None else {"response_class": response_class}

    @app.get("/", **options)
    def read() -> StarletteJSONResponse:
        return StarletteJSONResponse({"a": 1}, 201, background=StarletteBackgroundTask(done.append, "done"))

    @app.get("/typed", response_model=int)
    def untyped() -> Any:
        return StarletteJSONResponse({"b": 2})

    client = TestClient(app)
    answer = client.get("/")
    assert (answer.status_code, answer.json(), done) == (201, {"a": 1}, ["done"])
    assert client.get("/typed").json() == {"b": 2}


def test_a_task_that_was_asked_for_runs_after_a_response_of_starlette() -> None:
    done: list[str] = []
    app = Portico()

    @app.get("/")
    def read(tasks: BackgroundTasks) -> StarletteJSONResponse:
        tasks.add_task(done.append, "done")
        return StarletteJSONResponse({})

    assert (TestClient(app).get("/").status_code, done) == (200, ["done"])


def test_a_class_of_responses_of_starlette_makes_them() -> None:
    app = Portico()

    @app.get("/", response_class=StarletteHTMLResponse, status_code=202)
    def read() -> str:
        return "<p>"

    answer = TestClient(app).get("/")
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (202, "text/html; charset=utf-8", "<p>")


def test_without_starlette_only_ours_are_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(__import__("sys").modules, "starlette.responses")
    assert response_types() == (Response,)


def test_an_http_exception_of_fastapi_is_answered_with_its_detail() -> None:
    app = Portico()

    @app.get("/")
    def read() -> None:
        raise fastapi.HTTPException(404, {"reason": "gone"}, headers={"x-reason": "gone"})

    answer = TestClient(app).get("/")
    assert (answer.status_code, answer.json()) == (404, {"detail": {"reason": "gone"}})
    assert answer.headers["x-reason"] == "gone"


def test_a_websocket_exception_of_fastapi_closes_the_websocket() -> None:
    app = Portico()

    @app.websocket("/")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        raise fastapi.WebSocketException(4001, "no")

    with TestClient(app).websocket_connect("/") as session, pytest.raises(WebSocketDisconnect) as closed:
        session.receive_text()
    assert (closed.value.code, closed.value.reason) == (4001, "no")


def test_a_handler_of_what_only_fastapi_raises_is_refused() -> None:
    app = Portico()

    @app.exception_handler(fastapi.exceptions.RequestValidationError)
    def answer(request: Request, error: Exception) -> Response:
        return Response()

    with pytest.raises(DefinitionError, match=r"import RequestValidationError from portico\.web\.exceptions"):
        TestClient(app).get("/")
