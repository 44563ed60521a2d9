"""The events of `portico.web.sse`."""

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from tests.asking import ask

from portico.web import responses
from portico.web.encoders import jsonable_encoder
from portico.web.sse import KEEPALIVE_COMMENT, EventSourceResponse, ServerSentEvent, format_sse_event


class Note(BaseModel):
    text: str


def test_there_is_one_class_of_each_kind() -> None:
    assert EventSourceResponse is responses.EventSourceResponse
    assert ServerSentEvent is responses.ServerSentEvent


@pytest.mark.parametrize(
    ("fields", "encoded"),
    [
        ({}, b"\n"),
        ({"data_str": ""}, b"data: \n\n"),
        ({"data_str": "a\r\nb\rc\n"}, b"data: a\ndata: b\ndata: c\ndata: \n\n"),
        ({"data_str": "a\u2028b\x0bc"}, "data: a\u2028b\x0bc\n\n".encode()),
        (
            {"comment": "a\n", "event": "e", "data_str": "d", "id": "1", "retry": 2},
            b": a\n: \nevent: e\ndata: d\nid: 1\nretry: 2\n\n",
        ),
    ],
)
def test_an_event_is_its_fields_line_by_line(fields: dict[str, Any], encoded: bytes) -> None:
    assert format_sse_event(**fields) == encoded


def test_a_keep_alive_is_a_comment() -> None:
    assert format_sse_event(comment="ping") == KEEPALIVE_COMMENT


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"event": "a\nb"}, "'event' must be a single line"),
        ({"event": "a\0b"}, "'event' must not contain null"),
        ({"id": "a\rb"}, "'id' must be a single line"),
        ({"id": "a\0b"}, "'id' must not contain null"),
        ({"id": 1}, "'id' must be text"),
        ({"retry": -1}, "'retry' must be a whole number"),
        ({"retry": 1.5}, "'retry' must be a whole number"),
        ({"data": 1, "raw_data": "1"}, "Cannot set both"),
    ],
)
def test_an_event_that_cannot_be_written_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ServerSentEvent(**fields)


def test_events_with_the_same_fields_are_equal() -> None:
    assert ServerSentEvent(data=[1], id="a") == ServerSentEvent(data=[1], id="a")
    assert ServerSentEvent(data=[1]) != ServerSentEvent(data=[2])
    assert repr(ServerSentEvent(data=[1])).startswith("ServerSentEvent(data=[1], ")


def test_an_event_is_a_dict_of_its_fields_to_who_wants_json() -> None:
    assert jsonable_encoder([ServerSentEvent(data=Note(text="a"), id="1")], exclude_none=True) == [
        {"data": {"text": "a"}, "id": "1"}
    ]


def test_an_event_may_be_changed_before_it_is_sent() -> None:
    event = ServerSentEvent(data=1)
    event.id = "7"
    assert event.encoded == b"data: 1\nid: 7\n\n"


def test_an_event_may_stand_beside_models_in_a_type() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Note | ServerSentEvent)
    event = ServerSentEvent(data=1)
    assert adapter.validate_python(event) is event
    assert adapter.validate_python(Note(text="a")) == Note(text="a")
    made = adapter.validate_python({"data": {"a": 1}, "event": "e", "retry": 5})
    assert made == ServerSentEvent(data={"a": 1}, event="e", retry=5)
    assert adapter.dump_json(made) == (
        b'{"data":{"a":1},"raw_data":null,"event":"e","id":null,"retry":5,"comment":null}'
    )
    assert set(TypeAdapter(ServerSentEvent).json_schema()["properties"]) == {
        "data",
        "raw_data",
        "event",
        "id",
        "retry",
        "comment",
    }


def test_models_are_data_of_events() -> None:
    assert ServerSentEvent(data=Note(text="a")).encoded == b'data: {"text":"a"}\n\n'
    assert ask(EventSourceResponse([Note(text="a")])).body == b'data: {"text":"a"}\n\n'


def test_fields_that_make_no_event_are_an_error_of_validation() -> None:
    with pytest.raises(ValidationError, match="single line"):
        TypeAdapter(ServerSentEvent).validate_python({"id": "a\nb"})
