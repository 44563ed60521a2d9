"""The access log of development: one line to read for each exchange."""

import re
import time
from typing import Any

import pytest

from portico.server.access import AccessLog, validate_format

COLUMNS = r"\d\d:\d\d:\d\d  200 [ \d.]{6} (?:ms|s )  "


def line(*, colours: bool = False, ago_s: float = 0.0, **changes: Any) -> str:
    batches: list[bytes] = []
    log = AccessLog("dev", batches.append, colours=colours)
    exchange: dict[str, Any] = {
        "client": ("127.0.0.1", 1),
        "method": "GET",
        "target": b"/a?b=c",
        "version": "1.1",
        "status": 200,
    }
    exchange |= {"size": 13, "started": time.perf_counter() - ago_s, "request": [], "response": [], **changes}
    log.record(*exchange.values())
    log.flush()
    [batch] = batches
    return batch.decode("ascii")


def test_it_has_time_status_duration_method_and_target_in_columns() -> None:
    assert validate_format("dev") == []
    assert re.fullmatch(COLUMNS + r"GET /a\?b=c\n", line())
    assert re.fullmatch(COLUMNS + r"DELETE /\n", line(method="DELETE", target=b"/"))
    assert re.fullmatch(COLUMNS + r"GET /\?\n", line(ago_s=12.0, target=b"/?"))


def test_what_takes_long_is_told_in_seconds() -> None:
    assert re.search(r"  200 +1\d\.\d\d s   GET", line(ago_s=12.0))


@pytest.mark.parametrize(("status", "colour"), [(101, 36), (204, 32), (302, 36), (404, 33), (500, 31)])
def test_the_status_has_the_colour_of_its_class(status: int, colour: int) -> None:
    assert f"  \x1b[{colour}m{status}\x1b[0m " in line(colours=True, status=status)
    assert "\x1b" not in line(status=status)


def test_a_status_of_no_class_has_no_colour() -> None:
    assert "  999\x1b[0m " in line(colours=True, status=999)


def test_a_client_cannot_forge_a_line_or_a_colour() -> None:
    shown = line(target=b"/\x1b[31m\r\n12:00:00  200?\x1b", method="GE\x1bT")
    assert shown.count("\n") == 1
    assert "\x1b" not in shown
    assert "\r" not in shown
