"""What an endpoint returns as a response; where nothing else is said, byte for byte the peer's."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, RootModel, model_validator
from tests.asking import ask
from tests.web.values import Color, Inner, Numbers, Outer, Part, Whole, datetimes, values

from portico.asgi import Scope
from portico.web.background import BackgroundTask
from portico.web.datastructures import Default
from portico.web.exceptions import ResponseValidationError
from portico.web.plan.fields import create_model_field
from portico.web.plan.results import ResultPlan
from portico.web.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)


class Item(BaseModel):
    name: str
    price: float = 1.5


class Secret(Item):
    password: str = "x"


def endpoint() -> None: ...


def plan(type_: Any = None, **options: Any) -> ResultPlan:
    field = None if type_ is None else create_model_field("response", type_, mode="serialization")
    return ResultPlan(call=endpoint, field=field, **options)


def injected(status: int | None = None, **fields: str) -> Response:
    response = Response()
    response.raw_headers.clear()
    response.status_code = status  # type: ignore[assignment]
    for name, value in fields.items():
        response.headers.append(name.replace("_", "-"), value)
    return response


# Compared with the peer.

peer = pytest.importorskip("fastapi.routing", reason="the peer is not installed")
peers = pytest.importorskip("starlette.responses")


def peers_body(type_: Any, value: Any, options: dict[str, Any]) -> bytes:
    from fastapi.utils import create_model_field as peers_field

    field = None if type_ is None else peers_field("response", type_, mode="serialization")
    work = peer.serialize_response(field=field, response_content=value, dump_json=field is not None, **options)
    try:
        work.send(None)
    except StopIteration as end:
        body: bytes = end.value if field is not None else peers.JSONResponse(end.value).body
        return body
    raise AssertionError("it has waited for something")


def errors_of(function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except Exception as error:
        errors = getattr(error, "errors", None)
        return type(error).__name__, repr(errors()) if errors is not None else None


def same(ours: Any, theirs: Any) -> bool:
    if ours == theirs:
        return True
    # Large and small numbers may be written in another way.
    return isinstance(theirs, bytes) and b"e" in theirs and bool(json.loads(ours) == json.loads(theirs))


@given(values)
@settings(deadline=None)
def test_a_result_without_declared_type_becomes_the_peers_bytes(value: Any) -> None:
    assert same(errors_of(lambda: plan().respond(value).body), errors_of(peers_body, None, value, {}))


parts = st.builds(Part, at=datetimes, extra=st.dictionaries(st.text(max_size=3), st.none() | st.floats(), max_size=2))
wholes = st.builds(Whole, firstOne=st.integers(), parts=st.lists(parts, max_size=2), color=st.sampled_from(Color))
inners = st.builds(Inner, st.integers(), st.dates())
typed: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (Part, parts),
    (Part, parts.map(lambda part: part.model_dump())),
    (Whole, wholes),
    (Whole, wholes.map(lambda whole: whole.model_dump(by_alias=True))),
    (list[Whole], st.lists(wholes, max_size=2)),
    (dict[str, Part], st.dictionaries(st.text(max_size=2), parts, max_size=2)),
    (Part | None, st.none() | parts),
    (Part | Whole, wholes | parts),
    (Item, st.builds(Secret, name=st.text())),
    (list[Item], st.lists(st.builds(Secret, name=st.text()) | st.builds(Item, name=st.text()), max_size=3)),
    (Numbers, st.builds(Numbers, st.lists(st.integers())) | st.lists(st.integers())),
    (Inner, inners | inners.map(vars)),
    (Outer, st.builds(Outer, inners, st.lists(inners))),
    (dict[str, Any], st.dictionaries(st.text(max_size=2), st.floats() | st.integers() | st.none())),
    (Any, values),
    (int, st.integers() | st.booleans() | st.text(max_size=2)),
    (float, st.floats()),
    (str, st.text()),
    (Annotated[int, AfterValidator(lambda number: number + 1)], st.integers()),
]
selections = st.none() | st.sampled_from([{"name"}, {"first", "parts"}, {"parts": {0: {"at"}}}, {"a"}])
options = st.fixed_dictionaries(
    {},
    optional={
        "include": selections,
        "exclude": selections,
        "by_alias": st.booleans(),
        "exclude_unset": st.booleans(),
        "exclude_defaults": st.booleans(),
        "exclude_none": st.booleans(),
    },
)


@given(
    st.sampled_from(typed).flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1] | values)),
    options,
)
@settings(deadline=None)
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_a_result_of_declared_type_becomes_the_peers_bytes(case: tuple[Any, Any], options: dict[str, Any]) -> None:
    type_, value = case
    ours = errors_of(lambda: plan(type_, **options).respond(value).body)
    assert same(ours, errors_of(peers_body, type_, value, options))


# How the response is made.


def test_a_result_is_json_of_known_length() -> None:
    response = plan().respond({"a": 1})
    assert type(response) is JSONResponse
    assert (response.status_code, response.body, response.background) == (200, b'{"a":1}', None)
    assert response.raw_headers == [(b"content-length", b"7"), (b"content-type", b"application/json")]
    assert plan().respond("x" * 2000).headers["content-length"] == "2002"


def test_what_was_set_on_the_injected_response_is_in_the_real_one() -> None:
    task = BackgroundTask(print)
    response = plan(status_code=201).respond({}, injected(None, x_a="b", set_cookie="c=d"), task)
    assert (response.status_code, response.background) == (201, task)
    assert response.raw_headers[2:] == [(b"x-a", b"b"), (b"set-cookie", b"c=d")]
    assert plan(status_code=201).respond({}, injected(202)).status_code == 202


def test_a_content_type_that_was_set_comes_in_place_of_the_usual_one() -> None:
    for made in (plan(), plan(response_class=HTMLResponse)):
        response = made.respond("x", injected(None, content_type="a/b"))
        assert response.headers.getlist("content-type") == ["a/b"]


def test_a_response_passes_as_it_is() -> None:
    given, task = HTMLResponse("x", 404), BackgroundTask(print)
    for made in (plan(Item), plan(response_class=HTMLResponse, status_code=201), plan()):
        assert made.respond(given, injected(202, x_a="b")) is given
        with_task = made.respond(given, injected(202, x_a="b"), task)
        assert vars(with_task) == vars(given) | {"background": task}
    assert (given.status_code, given.background, "x-a" in given.headers) == (404, None, False)
    own = BackgroundTask(print)
    assert plan().respond(Response(background=own), None, task).background is own


@pytest.mark.parametrize("status", [100, 103, 204, 304])
@pytest.mark.parametrize("response_class", [Default(JSONResponse), JSONResponse, HTMLResponse])
def test_a_status_without_body_has_none_and_no_length(status: int, response_class: Any) -> None:
    for made in (
        plan(status_code=status, response_class=response_class).respond("x"),
        plan(response_class=response_class).respond("x", injected(status)),
    ):
        assert (made.status_code, made.body) == (status, b"")
        assert "content-length" not in made.headers


@pytest.mark.parametrize("response_class", [Default(JSONResponse), HTMLResponse])
def test_a_reset_content_says_that_it_is_empty(response_class: Any) -> None:
    response = plan(status_code=205, response_class=response_class).respond("x")
    assert (response.body, response.headers["content-length"]) == (b"", "0")


# Models.


class Counting(BaseModel):
    count: int = 0

    @model_validator(mode="after")
    def add(self) -> "Counting":
        self.count += 1
        return self


class Checking(Counting):
    model_config = ConfigDict(revalidate_instances="always")


class Wrapped(RootModel[Counting]): ...


def test_an_instance_of_the_very_model_is_not_validated_again() -> None:
    assert plan(Counting).respond(Counting()).body == b'{"count":1}'
    assert plan(Counting).respond({"count": 1}).body == b'{"count":2}'


def test_a_model_that_wants_its_instances_validated_again_has_it() -> None:
    assert plan(Checking).respond(Checking()).body == b'{"count":2}'


def test_a_validator_of_the_annotation_sees_every_result() -> None:
    def doubled(item: Counting) -> Counting:
        return Counting(count=item.count * 2)

    assert plan(Annotated[Counting, AfterValidator(doubled)]).respond(Counting()).body == b'{"count":5}'


def test_fields_of_a_derived_model_are_not_given_away() -> None:
    secret = Secret(name="a")
    assert plan(Item).respond(secret).body == b'{"name":"a","price":1.5}'
    assert plan(list[Item], response_class=JSONResponse).respond([secret]).body == b'[{"name":"a","price":1.5}]'


def test_an_object_is_read_by_its_attributes() -> None:
    class Row:
        name = "a"
        price = "2"

    assert plan(Item).respond(Row()).body == b'{"name":"a","price":2.0}'


class Struct(msgspec.Struct):
    a: int
    id: UUID


def test_a_struct_is_encoded_by_msgspec() -> None:
    struct = Struct(1, UUID(int=0))
    encoded = b'{"a":1,"id":"00000000-0000-0000-0000-000000000000"}'
    assert plan().respond(struct).body == encoded
    assert plan().respond({"s": [struct], "p": Item(name="b")}).body == (
        b'{"s":[' + encoded + b'],"p":{"name":"b","price":1.5}}'
    )
    assert plan(Struct).respond(struct).body == encoded
    assert plan(list[Struct]).respond([struct]).body == b"[" + encoded + b"]"
    assert plan(Struct).respond({"a": 1, "id": str(UUID(int=0))}).body == encoded


def test_a_result_that_is_not_what_it_promises_tells_where_it_comes_from() -> None:
    class Route:
        path_format = "/items/{id}"

    scope: Scope = {"type": "http", "method": "GET", "root_path": "/api", "route": Route()}
    for made in (plan(Item), plan(Item, response_class=JSONResponse)):
        with pytest.raises(ResponseValidationError) as raised:
            made.respond({"price": "much"}, None, None, scope)
        error = raised.value
        assert [(item["type"], item["loc"]) for item in error.errors()] == [
            ("missing", ("response", "name")),
            ("float_parsing", ("response", "price")),
        ]
        assert error.body == {"price": "much"}
        assert error.endpoint_ctx == {
            "file": __file__,
            "line": endpoint.__code__.co_firstlineno,
            "function": "endpoint",
            "path": "GET /api/items/{id}",
        }
    with pytest.raises(ResponseValidationError):
        plan(Item).respond({})


# Other classes of responses.


class Envelope(JSONResponse):
    media_type = "application/vnd.envelope+json"

    def render(self, content: Any) -> bytes:
        return super().render({"data": content})


def test_a_class_of_the_programs_own_gets_what_json_has() -> None:
    for made in (plan(Part, response_class=Envelope), plan(response_class=Envelope)):
        response = made.respond(Part(at="2020-01-01"))  # type: ignore[arg-type]
        assert response.body == b'{"data":{"at":"2020-01-01T00:00:00","price":null,"extra":{}}}'
        assert response.media_type == "application/vnd.envelope+json"


def test_a_chosen_default_class_is_no_choice() -> None:
    assert type(plan(Item, response_class=Default(JSONResponse)).respond(Item(name="a"))) is JSONResponse
    assert type(plan(response_class=Default(Envelope)).respond({})) is Envelope


def test_the_class_has_its_own_status_unless_one_is_chosen() -> None:
    assert plan(response_class=RedirectResponse).respond("/a").status_code == 307
    response = plan(response_class=RedirectResponse, status_code=302).respond("/a")
    assert (response.status_code, response.headers["location"]) == (302, "/a")
    assert plan(response_class=RedirectResponse).respond("/a", injected(303)).status_code == 303


def test_text_stays_text() -> None:
    assert plan(response_class=HTMLResponse).respond("<p>ä").body == "<p>ä".encode()
    assert plan(str, response_class=HTMLResponse).respond("<p>ä").body == "<p>ä".encode()


def test_bytes_stay_bytes() -> None:
    assert plan(response_class=Response).respond(b"\xff\x00").body == b"\xff\x00"


def test_a_path_names_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("x")
    assert ask(plan(response_class=FileResponse).respond(file)).body == b"x"


def test_an_iterator_that_is_returned_is_streamed() -> None:
    async def pieces() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    def steps() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    made = plan(response_class=StreamingResponse)
    assert ask(made.respond(pieces())).body == b"ab"
    assert ask(made.respond(steps())).body == b"ab"
    assert ask(made.respond(["a", "b"])).body == b"ab"


def test_a_number_that_json_has_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="JSON"):
        plan().respond({"a": float("nan")})


def test_keys_of_sqlalchemy_are_dropped_at_any_depth() -> None:
    assert plan().respond({"_sa_state": 1, "a": [{"_sa": 2, "b": "_sa"}]}).body == b'{"a":[{"b":"_sa"}]}'


def test_an_encoder_in_place_of_the_usual_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "dumps", lambda content, **options: "replaced")
    assert plan().respond({"a": 1}).body == b"replaced"
