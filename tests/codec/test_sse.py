"""Server-sent events on the wire."""

import pytest

from portico.codec.sse import format_event


def test_every_field_has_its_line() -> None:
    event = format_event(data="x", event="tick", id="7", retry=3000, comment="hi")
    assert event == b": hi\nevent: tick\ndata: x\nid: 7\nretry: 3000\n\n"


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\r\nb"])
def test_data_and_comments_are_split_into_lines(text: str) -> None:
    assert format_event(data=text) == b"data: a\ndata: b\n\n"
    assert format_event(comment=text) == b": a\n: b\n\n"


def test_only_the_three_line_ends_split() -> None:
    assert format_event(data="a\x0b\x0c\x85\u2028b") == "data: a\x0b\x0c\x85\u2028b\n\n".encode()


def test_empty_data_is_a_line_and_no_data_is_none() -> None:
    assert format_event(data="") == b"data: \n\n"
    assert format_event(data="a\n") == b"data: a\ndata: \n\n"
    assert format_event(event="x") == b"event: x\n\n"


@pytest.mark.parametrize("char", ["\r", "\n", "\0"])
@pytest.mark.parametrize("field", ["event", "id"])
def test_line_ends_and_nul_are_refused_in_type_and_id(field: str, char: str) -> None:
    with pytest.raises(ValueError, match=field):
        format_event(data="x", **{field: f"a{char}data: forged"})  # type: ignore[arg-type]


def test_a_negative_retry_is_refused() -> None:
    with pytest.raises(ValueError, match="retry"):
        format_event(retry=-1)
