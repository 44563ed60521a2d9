"""Schemas from docstrings: which endpoints are in them, under which path and method."""

import builtins
from typing import Any

import pytest

from portico.web.applications import Application
from portico.web.endpoints import HTTPEndpoint
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.routing import Host, Mount, Route, Router, WebSocketRoute
from portico.web.schemas import EndpointInfo, OpenAPIResponse, SchemaGenerator
from portico.web.status import HTTP_413_CONTENT_TOO_LARGE

BASE = {"openapi": "3.1.0", "info": {"title": "Example", "version": "1"}}
DESCRIBED = {"responses": {200: {"description": "ok"}}}


async def described(request: Request) -> Response:
    """
    Prose: not part of it.

    ---
    responses:
      200:
        description: ok
    """
    return Response()


async def prose(request: Request) -> Response:
    """Only prose."""
    return Response()


async def silent(request: Request) -> Response:
    return Response()


class Items(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        """responses: {200: {description: ok}}"""
        return Response()

    async def query(self, request: Request) -> Response:
        """responses: {200: {description: ok}}"""
        return Response()


async def websocket(websocket: Any) -> None:
    """responses: {}"""


def paths(*routes: Any, base: dict[str, Any] = BASE) -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator(base).get_schema(routes)["paths"]
    return found


def test_an_endpoint_is_described_by_the_yaml_in_its_docstring() -> None:
    assert paths(Route("/a", described, methods=["GET", "POST"])) == {"/a": {"get": DESCRIBED, "post": DESCRIBED}}


def test_a_path_is_written_without_its_convertors() -> None:
    assert list(paths(Route("/users/{id:int}/{rest:path}", described))) == ["/users/{id}/{rest}"]


def test_what_has_no_yaml_is_left_out() -> None:
    assert paths(Route("/a", prose), Route("/b", silent), WebSocketRoute("/ws", websocket)) == {}
    assert paths(Route("/a", described, include_in_schema=False)) == {}


def test_the_methods_of_a_class_are_operations() -> None:
    assert paths(Route("/items", Items)) == {"/items": {"get": DESCRIBED}}


def test_query_is_a_method_from_openapi_3_2_on() -> None:
    assert set(paths(Route("/items", Items), base={"openapi": "3.2.0"})["/items"]) == {"get", "query"}
    assert set(paths(Route("/items", Items), base={"openapi": "3.10"})["/items"]) == {"get", "query"}
    assert set(paths(Route("/items", Items), base={})["/items"]) == {"get"}


def test_what_is_mounted_has_the_paths_of_its_mounts() -> None:
    inner = Router([Route("/{name:str}", described)])
    routes = [
        Mount("/a/{id:int}", routes=[Mount("/b", app=inner)]),
        Host("x.example", app=Router([Route("/c", described)])),
    ]
    assert SchemaGenerator(BASE).get_endpoints(routes) == [
        EndpointInfo("/a/{id}/b/{name}", "get", described),
        EndpointInfo("/c", "get", described),
    ]


def test_the_base_is_not_changed() -> None:
    base = {"openapi": "3.1.0", "paths": {"/a": {"get": {"x": 1}}}}
    schema = SchemaGenerator(base).get_schema([Route("/a", described, methods=["POST"])])
    assert schema["paths"] == {"/a": {"get": {"x": 1}, "post": DESCRIBED}}
    assert base == {"openapi": "3.1.0", "paths": {"/a": {"get": {"x": 1}}}}


def test_an_application_answers_with_its_schema() -> None:
    app = Application(routes=[Route("/a", described)])
    response = SchemaGenerator(BASE).OpenAPIResponse(Request({"type": "http", "headers": [], "app": app}))
    assert response.headers["content-type"] == "application/vnd.oai.openapi"
    assert b"/a:\n    get:\n      responses:\n        200:\n          description: ok" in bytes(response.body)


def test_a_schema_is_a_dict() -> None:
    with pytest.raises(TypeError, match="takes the schema as a dict"):
        OpenAPIResponse("text")


def test_without_pyyaml_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "yaml":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'portico\[yaml\]'"):
        paths(Route("/a", described))


def test_statuses_have_numbers() -> None:
    assert HTTP_413_CONTENT_TOO_LARGE == 413
