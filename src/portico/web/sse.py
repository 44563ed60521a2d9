"""Server-sent events from endpoints that yield: `response_class=EventSourceResponse`."""

from pydantic_core import CoreSchema, core_schema

from portico.codec.sse import KEEP_ALIVE as KEEPALIVE_COMMENT
from portico.codec.sse import format_event
from portico.web.responses.events import EventSourceResponse, ServerSentEvent

__all__ = ["KEEPALIVE_COMMENT", "EventSourceResponse", "ServerSentEvent", "format_sse_event"]


def format_sse_event(
    *,
    data_str: str | None = None,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
    comment: str | None = None,
) -> bytes:
    """Return one event as it goes over the wire.

    Args:
        data_str: What it tells, as text; JSON, if clients expect that.
        event: Its type, one line.
        id: What the client sends as Last-Event-ID when it comes back, one line.
        retry: After how many milliseconds it comes back.
        comment: What clients pass over.

    Raises:
        ValueError: If type or id have line ends or NUL, or if `retry` is negative.
    """
    return format_event(data=data_str, event=event, id=id, retry=retry, comment=comment)


def event_schema() -> CoreSchema:
    """Return the schema of an event, for pydantic: one that is made, or the fields to make one of."""
    text = core_schema.nullable_schema(core_schema.str_schema())
    fields: dict[str, CoreSchema] = {
        "data": core_schema.any_schema(),
        "raw_data": text,
        "event": text,
        "id": text,
        "retry": core_schema.nullable_schema(core_schema.int_schema(ge=0)),
        "comment": text,
    }
    made = core_schema.no_info_after_validator_function(
        lambda given: ServerSentEvent(**given),
        core_schema.typed_dict_schema(
            {
                name: core_schema.typed_dict_field(core_schema.with_default_schema(schema, default=None))
                for name, schema in fields.items()
            }
        ),
    )
    return core_schema.union_schema(
        [core_schema.is_instance_schema(ServerSentEvent), made],
        serialization=core_schema.plain_serializer_function_ser_schema(dict, return_schema=core_schema.any_schema()),
    )
