"""Bodies: JSON, forms and bytes as the values of those who want them, each thing wrong with them named."""

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pytest
from pydantic import BaseModel, ConfigDict, Json, field_validator
from typing_extensions import TypedDict

from portico.asgi import Message
from portico.web import Body, Depends, File, Form, Query, UploadFile
from portico.web.exceptions import HTTPException, RequestValidationError
from portico.web.plan.bodies import BodyPlan, Received, flat_body_params, should_embed
from portico.web.plan.dependant import Dependant
from portico.web.plan.forms import FORM_LIMITS_KEY
from portico.web.plan.signature import get_dependant
from portico.web.requests import ClientDisconnect, Request
from portico.web.websockets import WebSocket

JSON = "application/json"
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


class Item(BaseModel):
    name: str
    price: float = 1.0


class Got(NamedTuple):
    values: list[dict[str, Any]]
    errors: list[list[Any] | None]
    body: Any


def plan_of(call: Callable[..., Any], **options: Any) -> BodyPlan:
    """Return the plan for a callable and its dependencies, whose steps come first."""
    dependant = get_dependant(path="/", call=call)
    places = []
    for step, part in enumerate(flattened(dependant)):
        if part.body_params:
            places.append((step, part.body_params))
    return BodyPlan(places, embed=should_embed(flat_body_params(dependant)), **options)


def flattened(dependant: Dependant) -> list[Dependant]:
    return [below for dependency in dependant.dependencies for below in flattened(dependency)] + [dependant]


def request_of(body: bytes, content_type: str | None = JSON, kind: type[Request] = Request, **scope: Any) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    headers = [(b"content-type", content_type.encode())] if content_type is not None else []
    return kind({"type": "http", "method": "POST", "path": "/", "headers": headers, **scope}, receive)


async def place(plan: BodyPlan, received: Received, values: list[dict[str, Any]], errors: list[Any]) -> None:
    if plan.is_form:
        await plan.place_form(received, values, errors)
    else:
        plan.place(received, values, errors)


def gather(
    call: Callable[..., Any],
    body: bytes,
    content_type: str | None = JSON,
    *,
    errors: list[list[Any] | None] | None = None,
    request: Any = None,
    **options: Any,
) -> Got:
    async def gathered() -> Got:
        plan = plan_of(call, **options)
        steps = 1 + max(step for step, _ in plan.wanted)
        got = Got([{} for _ in range(steps)], errors or [None] * steps, None)
        of_request = request_of(body, content_type) if request is None else request
        received = await plan.receive(of_request)
        await place(plan, received, got.values, got.errors)
        shown = received.shown
        if plan.is_form and request is None:
            await of_request.close()
        return got._replace(body=shown)

    return asyncio.run(gathered())


def value(call: Callable[..., Any], body: bytes, content_type: str | None = JSON, **options: Any) -> Any:
    """Return the one value that the endpoint gets."""
    got = gather(call, body, content_type, **options)
    assert got.errors == [None]
    (found,) = got.values[0].values()
    return found


def wrong(call: Callable[..., Any], body: bytes, content_type: str | None = JSON, **options: Any) -> list[Any]:
    """Return what is found to be wrong, by type and place."""
    got = gather(call, body, content_type, **options)
    assert got.values == [{}]
    assert got.errors[0] is not None
    return [(error["type"], error["loc"]) for error in got.errors[0]]


def with_item(item: Item) -> None: ...


def with_two(item: Item, count: Annotated[int, Body()]) -> None: ...


# One value


def test_a_model_is_made_of_the_body() -> None:
    assert value(with_item, b'{"name": "a", "price": 2}') == Item(name="a", price=2)


def test_a_valid_model_leaves_the_body_undecoded() -> None:
    request = request_of(b'{"name": "a"}')
    got = gather(with_item, b"", request=request)
    assert got.values == [{"item": Item(name="a")}]
    assert not hasattr(request, "_json")


def test_an_invalid_body_is_decoded_and_returned() -> None:
    got = gather(with_item, b'{"price": 2}')
    assert got.body == {"price": 2}
    assert got.errors == [
        [{"type": "missing", "loc": ("body", "name"), "msg": "Field required", "input": {"price": 2}}]
    ]


def test_the_body_is_decoded_where_other_inputs_are_wrong_already() -> None:
    found = {"type": "missing", "loc": ("query", "q"), "msg": "Field required", "input": None}
    got = gather(with_item, b'{"name": "a"}', errors=[[found]])
    assert got.body == {"name": "a"}
    assert got.errors == [[found]]


def test_errors_of_the_body_come_after_those_that_were_there() -> None:
    got = gather(with_item, b"{}", errors=[[{"type": "first"}]])
    assert [error["type"] for error in got.errors[0] or []] == ["first", "missing"]


def test_what_somebody_has_decoded_and_changed_is_what_counts() -> None:
    request = request_of(b'{"name": "a"}')
    request._json = {"name": "changed"}
    assert gather(with_item, b"", request=request).values == [{"item": Item(name="changed")}]


def test_a_request_class_may_decode_in_its_own_way() -> None:
    class Reversed(Request):
        async def json(self) -> Any:
            return json.loads((await self.body())[::-1])

    request = request_of(b'{"name": "a"}'[::-1], kind=Reversed)
    assert gather(with_item, b"", request=request).values == [{"item": Item(name="a")}]


def test_a_request_class_may_read_in_its_own_way() -> None:
    class Wrapped(Request):
        async def body(self) -> bytes:
            return b'{"name": ' + await super().body() + b"}"

    assert gather(with_item, b"", request=request_of(b'"a"', kind=Wrapped)).values == [{"item": Item(name="a")}]


def test_an_empty_body_is_missing() -> None:
    assert wrong(with_item, b"") == [("missing", ("body",))]


def test_an_empty_body_is_the_default_where_there_is_one() -> None:
    def endpoint(item: Item | None = None) -> None: ...

    assert value(endpoint, b"") is None
    assert value(endpoint, b"null") is None


def test_a_default_is_not_shared_between_requests() -> None:
    def endpoint(items: Annotated[list[int], Body()] = []) -> None: ...  # noqa: B006

    plan = plan_of(endpoint)
    first: list[dict[str, Any]] = [{}]
    second: list[dict[str, Any]] = [{}]
    received = asyncio.run(plan.receive(request_of(b"")))
    plan.place(received, first, [None])
    first[0]["items"].append(1)
    plan.place(received, second, [None])
    assert second == [{"items": []}]


@pytest.mark.parametrize(
    ("annotation", "body", "expected"),
    [
        (dict[str, int], b'{"a": 1}', {"a": 1}),
        (list[Item], b'[{"name": "a"}]', [Item(name="a")]),
        (Annotated[Any, Body()], b'[1, {"a": null}]', [1, {"a": None}]),
        (Annotated[int, Body()], b"5", 5),
        (Annotated[str, Body()], b'"text"', "text"),
        (Annotated[bytes, Body()], b'"text"', b"text"),
        (Annotated[dict, Body()], b"{}", {}),
        (Annotated[Item | int, Body()], b"3", 3),
    ],
)
def test_the_body_may_be_any_json(annotation: Any, body: bytes, expected: Any) -> None:
    def endpoint(whole: Any) -> None: ...

    endpoint.__annotations__["whole"] = annotation
    assert value(endpoint, body) == expected


def test_the_body_may_be_a_dataclass() -> None:
    @dataclasses.dataclass
    class Point:
        x: int
        y: int = 0

    def endpoint(point: Point) -> None: ...

    assert value(endpoint, b'{"x": "1"}') == Point(1)
    assert wrong(endpoint, b'{"x": "a"}') == [("int_parsing", ("body", "x"))]


def test_the_body_may_be_a_typed_dict() -> None:
    class Point(TypedDict):
        x: int

    def endpoint(point: Annotated[Point, Body()]) -> None: ...

    assert value(endpoint, b'{"x": 1}') == {"x": 1}
    assert wrong(endpoint, b"{}") == [("missing", ("body", "x"))]


def test_the_body_may_be_a_struct() -> None:
    class Point(msgspec.Struct):
        x: int

    def endpoint(point: Point) -> None: ...

    assert value(endpoint, b'{"x": 1}') == Point(1)
    assert wrong(endpoint, b'{"x": "a"}') == [("msgspec", ("body", "x"))]
    assert wrong(endpoint, b"{}") == [("missing", ("body", "x"))]


def test_structs_may_be_within_the_body() -> None:
    class Point(msgspec.Struct):
        x: int

    def endpoint(many: list[Point], named: dict[str, Point], maybe: Point | None = None) -> None: ...

    got = gather(endpoint, b'{"many": [{"x": 1}], "named": {"a": {"x": 2}}}')
    assert got.values == [{"many": [Point(1)], "named": {"a": Point(2)}, "maybe": None}]
    got = gather(endpoint, b'{"many": [{"x": null}], "named": {"a": 1}, "maybe": {}}')
    assert [error["loc"] for error in got.errors[0] or []] == [
        ("body", "many", 0, "x"),
        ("body", "named", "a"),
        ("body", "maybe", "x"),
    ]


def test_strict_models_are_as_strict_as_with_decoded_values() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        kind: Literal["a"]
        data: bytes

    def endpoint(strict: Strict) -> None: ...

    assert wrong(endpoint, b'{"kind": "a", "data": "text"}') == [("bytes_type", ("body", "data"))]


def test_validators_of_the_program_run_once_for_an_invalid_body() -> None:
    seen = []

    class Seen(BaseModel):
        name: str
        count: int

        @field_validator("name")
        @classmethod
        def see(cls, name: str) -> str:
            seen.append(name)
            return name

    def endpoint(item: Seen) -> None: ...

    assert wrong(endpoint, b'{"name": "a", "count": "b"}') == [("int_parsing", ("body", "count"))]
    assert seen == ["a"]


# What is JSON


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json ;x",
        "application/vnd.api+json",
        "application/problem+json;a=b",
    ],
)
def test_these_types_are_json(content_type: str) -> None:
    assert value(with_item, b'{"name": "a"}', content_type) == Item(name="a")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/json", "json", "application/jsonx", "application/json/x", "application/", ";", URLENCODED],
)
def test_these_types_are_not(content_type: str) -> None:
    got = gather(with_item, b'{"name": "a"}', content_type)
    assert got.body == b'{"name": "a"}'
    assert got.errors[0] is not None
    assert [(error["type"], error["loc"]) for error in got.errors[0]] == [("model_attributes_type", ("body",))]


@pytest.mark.parametrize("content_type", [None, ""])
def test_a_body_without_type_is_json_only_where_that_is_allowed(content_type: str | None) -> None:
    body = b'{"name": "a"}'
    assert wrong(with_item, body, content_type) == [("model_attributes_type", ("body",))]
    assert value(with_item, body, content_type, strict_content_type=False) == Item(name="a")


def test_a_body_that_is_no_json_is_bytes_for_those_who_want_bytes() -> None:
    def endpoint(data: Annotated[bytes, Body()]) -> None: ...

    assert value(endpoint, b"\xff\x00", "application/octet-stream") == b"\xff\x00"


def test_unusual_types_do_not_pile_up() -> None:
    from portico.web.plan import bodies

    for number in range(300):
        assert not bodies.is_json_type(b"x/%d" % number)
    assert len(bodies._known_types) <= bodies.MAX_KNOWN_TYPES


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le"])
def test_json_may_be_in_any_unicode_encoding(encoding: str) -> None:
    assert value(with_item, '{"name": "ä"}'.encode(encoding)) == Item(name="ä")


def test_of_a_name_that_comes_twice_the_last_counts() -> None:
    assert value(with_item, b'{"name": 1, "name": "b"}') == Item(name="b")


def test_text_that_is_no_json_is_an_error_with_its_position() -> None:
    with pytest.raises(RequestValidationError) as raised:
        gather(with_item, b'{"name": "a"*}')
    assert raised.value.errors() == [
        {
            "type": "json_invalid",
            "loc": ("body", 12),
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": "Expecting ',' delimiter"},
        }
    ]
    assert raised.value.body == '{"name": "a"*}'


@pytest.mark.parametrize(
    "body", [b'{"a": "\xff"}', b"\xff", b"1" * 5000, b"[" * 200_000], ids=["name", "text", "number", "depth"]
)
def test_what_cannot_be_json_for_other_reasons_is_refused(body: bytes) -> None:
    with pytest.raises(HTTPException) as raised:
        gather(with_item, body)
    assert (raised.value.status_code, raised.value.detail) == (400, "There was an error parsing the body")


@pytest.mark.parametrize("text", ['{"name": NaN}', '{"name": 1e999}', '{"name": {"a": []}}'])
def test_odd_json_is_an_error_of_its_place(text: str) -> None:
    assert wrong(with_item, text.encode())[0][1] == ("body", "name")


# Several values


def test_several_fields_are_members_of_an_object() -> None:
    got = gather(with_two, b'{"item": {"name": "a"}, "count": 2, "more": 3}')
    assert got.values == [{"item": Item(name="a"), "count": 2}]


def test_each_missing_member_is_an_error() -> None:
    assert wrong(with_two, b"{}") == [("missing", ("body", "item")), ("missing", ("body", "count"))]
    assert wrong(with_two, b"") == [("missing", ("body", "item")), ("missing", ("body", "count"))]


def test_the_missing_have_no_input() -> None:
    got = gather(with_two, b"{}")
    assert [error["input"] for error in got.errors[0] or []] == [None, None]


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"a"'])
def test_members_are_missing_where_the_body_is_no_object_even_with_a_default(body: bytes) -> None:
    def endpoint(item: Item, count: Annotated[int, Body()] = 3) -> None: ...

    assert wrong(endpoint, body) == [("missing", ("body", "item")), ("missing", ("body", "count"))]


def test_the_valid_members_are_kept_beside_the_invalid() -> None:
    got = gather(with_two, b'{"item": {"name": "a"}, "count": "x"}')
    assert got.values == [{"item": Item(name="a")}]
    assert [error["loc"] for error in got.errors[0] or []] == [("body", "count")]


def test_one_field_may_be_embedded() -> None:
    def endpoint(item: Annotated[Item, Body(embed=True)]) -> None: ...

    assert value(endpoint, b'{"item": {"name": "a"}}') == Item(name="a")
    assert wrong(endpoint, b'{"item": {}}') == [("missing", ("body", "item", "name"))]


def test_members_go_by_their_aliases() -> None:
    def endpoint(
        first: Annotated[int, Body(alias="1st")], second: Annotated[int, Body(validation_alias="2nd")]
    ) -> None: ...

    assert gather(endpoint, b'{"1st": 1, "2nd": 2}').values == [{"first": 1, "second": 2}]
    assert wrong(endpoint, b'{"first": 1, "second": 2}') == [("missing", ("body", "1st")), ("missing", ("body", "2nd"))]


def test_null_is_a_value_and_no_default() -> None:
    def endpoint(item: Item, count: Annotated[int | None, Body()] = 3) -> None: ...

    assert gather(endpoint, b'{"item": {"name": "a"}, "count": null}').values[0]["count"] is None
    assert gather(endpoint, b'{"item": {"name": "a"}}').values[0]["count"] == 3


# Dependencies


def test_a_dependency_and_the_endpoint_may_want_the_same_body() -> None:
    def dependency(item: Item) -> None: ...

    def endpoint(item: Item, _: Annotated[None, Depends(dependency)]) -> None: ...

    got = gather(endpoint, b'{"name": "a"}')
    assert got.values == [{"item": Item(name="a")}, {"item": Item(name="a")}]
    assert got.values[0]["item"] is not got.values[1]["item"]


def test_the_fields_of_dependencies_and_endpoint_are_members_of_one_object() -> None:
    def dependency(user: Annotated[str, Body()]) -> None: ...

    def endpoint(item: Item, _: Annotated[None, Depends(dependency)]) -> None: ...

    assert gather(endpoint, b'{"item": {"name": "a"}, "user": "u"}').values == [{"user": "u"}, {"item": Item(name="a")}]


def test_errors_belong_to_those_who_want_the_value() -> None:
    def dependency(user: Annotated[str, Body()]) -> None: ...

    def endpoint(item: Item, _: Annotated[None, Depends(dependency)]) -> None: ...

    got = gather(endpoint, b'{"item": 1}')
    assert [[error["loc"] for error in errors or []] for errors in got.errors] == [
        [("body", "user")],
        [("body", "item")],
    ]


# Reading


def test_a_disconnect_while_reading_is_passed_on() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    request = Request({"type": "http", "headers": [(b"content-type", b"application/json")]}, receive)
    with pytest.raises(ClientDisconnect):
        gather(with_item, b"", request=request)


def test_a_failure_to_read_is_a_bad_request() -> None:
    class Broken(Request):
        async def body(self) -> bytes:
            raise OSError("no")

    with pytest.raises(HTTPException) as raised:
        gather(with_item, b"", request=request_of(b"", kind=Broken))
    assert raised.value.status_code == 400
    assert isinstance(raised.value.__cause__, OSError)


def test_an_answer_that_the_reading_raises_is_given() -> None:
    class Refusing(Request):
        async def body(self) -> bytes:
            raise HTTPException(413)

    with pytest.raises(HTTPException) as raised:
        gather(with_item, b"", request=request_of(b"", kind=Refusing))
    assert raised.value.status_code == 413


def test_a_websocket_has_no_body() -> None:
    async def unused(*_: Any) -> Any: ...

    def endpoint(item: Item, count: Annotated[int, Body()] = 3) -> None: ...

    websocket: Any = WebSocket({"type": "websocket", "headers": []}, unused, unused)
    got = gather(endpoint, b"", request=websocket)
    assert got.values == [{"count": 3}]
    assert [(error["type"], error["loc"]) for error in got.errors[0] or []] == [("missing", ("body", "item"))]


# Forms


def multipart(*parts: tuple[str, str | None, bytes]) -> bytes:
    """Return a multipart body of (name, filename, content)."""
    lines = []
    for name, filename, content in parts:
        named = f'; filename="{filename}"' if filename is not None else ""
        lines.append(
            b"--b\r\nContent-Disposition: form-data; name="
            + f'"{name}"{named}'.encode()
            + b"\r\n\r\n"
            + content
            + b"\r\n"
        )
    return b"".join(lines) + b"--b--\r\n"


def test_the_fields_of_a_form_are_parameters() -> None:
    def endpoint(name: Annotated[str, Form()], ages: Annotated[list[int], Form()]) -> None: ...

    assert gather(endpoint, b"name=a&ages=1&ages=2", URLENCODED).values == [{"name": "a", "ages": [1, 2]}]


def test_empty_text_counts_as_absent() -> None:
    def endpoint(name: Annotated[str, Form()], age: Annotated[int, Form()] = 3) -> None: ...

    got = gather(endpoint, b"name=&age=", URLENCODED)
    assert got.values == [{"age": 3}]
    assert [(error["type"], error["loc"]) for error in got.errors[0] or []] == [("missing", ("body", "name"))]


def test_a_body_of_another_type_is_an_empty_form() -> None:
    def endpoint(name: Annotated[str, Form()]) -> None: ...

    assert wrong(endpoint, b'{"name": "a"}', JSON) == [("missing", ("body", "name"))]


def test_a_model_may_be_the_form() -> None:
    def endpoint(item: Annotated[Item, Form()]) -> None: ...

    assert value(endpoint, b"name=a&price=2", URLENCODED) == Item(name="a", price=2)
    assert wrong(endpoint, b"price=x", URLENCODED) == [
        ("missing", ("body", "name")),
        ("float_parsing", ("body", "price")),
    ]


def test_a_model_of_json_text_is_one_field_of_the_form() -> None:
    def endpoint(item: Annotated[Json[Item], Form()]) -> None: ...

    assert value(endpoint, b"item=%7B%22name%22%3A%22a%22%7D", URLENCODED) == Item(name="a")


def test_files_are_given_as_files_and_as_bytes() -> None:
    def endpoint(file: UploadFile, data: Annotated[bytes, File(alias="file")]) -> None: ...

    got = gather(endpoint, multipart(("file", "a.txt", b"content")), MULTIPART)
    assert got.values[0]["data"] == b"content"
    assert got.values[0]["file"].filename == "a.txt"


def test_a_file_that_was_not_chosen_counts_as_absent() -> None:
    def endpoint(file: Annotated[UploadFile | None, File()] = None, files: Annotated[list[bytes], File()] = []) -> None:  # noqa: B006
        ...

    got = gather(endpoint, multipart(("file", "", b""), ("files", "", b"")), MULTIPART)
    assert got.values == [{"file": None, "files": []}]


def test_bytes_of_several_files_are_in_the_sequence_that_is_annotated() -> None:
    def endpoint(
        files: Annotated[tuple[bytes, bytes], File()], again: Annotated[set[bytes], File(alias="files")]
    ) -> None: ...

    got = gather(endpoint, multipart(("files", "a", b"1"), ("files", "b", b"2")), MULTIPART)
    assert got.values == [{"files": (b"1", b"2"), "again": {b"1", b"2"}}]


def test_limits_of_the_route_go_before_those_around_it() -> None:
    def endpoint(name: Annotated[str, Form()]) -> None: ...

    around: dict[str, Any] = {FORM_LIMITS_KEY: {"max_fields": 1, "max_part_size": 9}}
    with pytest.raises(HTTPException) as raised:
        gather(endpoint, b"", request=request_of(b"name=a&b=c", URLENCODED, app=None, **around))
    assert raised.value.status_code == 400
    request = request_of(b"name=a&b=c", URLENCODED, app=None, **around)
    assert gather(endpoint, b"", request=request, form_limits={"max_fields": 2}).values == [{"name": "a"}]


def test_a_broken_form_is_a_bad_request() -> None:
    def endpoint(file: UploadFile) -> None: ...

    with pytest.raises(HTTPException) as raised:
        gather(endpoint, b"", request=request_of(b"--b\r\nno", MULTIPART, app=None))
    assert raised.value.status_code == 400


def test_a_form_outside_an_application_is_a_bad_request_too() -> None:
    def endpoint(file: UploadFile) -> None: ...

    with pytest.raises(HTTPException) as raised:
        gather(endpoint, b"--b\r\nno", MULTIPART)
    assert raised.value.status_code == 400


def test_a_form_is_read_for_a_field_beside_others() -> None:
    def dependency(name: Annotated[str, Form()]) -> None: ...

    def endpoint(
        _: Annotated[None, Depends(dependency)],
        q: Annotated[int, Query()] = 1,
        file: UploadFile = File(),  # noqa: B008
    ) -> None: ...

    got = gather(endpoint, multipart(("name", None, b"a"), ("file", "f", b"1")), MULTIPART)
    assert got.values[0] == {"name": "a"}
    assert got.values[1]["file"].filename == "f"
