"""The options of WebSockets on the command line, under the names and with the values that uvicorn gives them."""

import os
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from tests.served import served
from websockets.sync.client import connect

from portico.cli import portico
from portico.cli.run import read_settings, run
from portico.server.config import Config
from portico.server.settling import ConfigError


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty directory, with no settings around."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PORTICO_") or name == "FORWARDED_ALLOW_IPS"]:
        monkeypatch.delenv(name)
    return tmp_path


def read(*args: str) -> tuple[Config, list[str]]:
    """Return the settings and the warnings of a command line."""
    with click.Context(run) as context:
        run.parse_args(context, ["main:app", *args])
    return read_settings(dict(context.params))


def refused(*args: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(*args)
    return caught.value.problems


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (("--ws", "auto"), "ws", "auto"),
        (("--ws", "none"), "ws", "none"),
        (("--ws", "NONE"), "ws", "none"),
        (("--ws-max-size", "1000"), "ws_max_size", 1000),
        (("--ws-max-queue", "1"), "ws_max_queue", 1),
        (("--ws-ping-interval", "0.5"), "ws_ping_interval", 0.5),
        (("--ws-ping-interval", "0"), "ws_ping_interval", 0.0),
        (("--ws-ping-interval", "none"), "ws_ping_interval", None),
        (("--ws-ping-interval", ""), "ws_ping_interval", None),
        (("--ws-ping-timeout", "5"), "ws_ping_timeout", 5.0),
        (("--ws-ping-timeout", "0"), "ws_ping_timeout", 0.0),
        (("--ws-ping-timeout", "None"), "ws_ping_timeout", None),
        *[
            (("--ws-per-message-deflate", word), "ws_per_message_deflate", value)
            for word, value in (("true", True), ("false", False), ("False", False), ("1", True), ("0", False))
        ],
        (("--ws-per-message-deflate=false",), "ws_per_message_deflate", False),
    ],
)
def test_an_option_sets_its_setting(args: tuple[str, ...], name: str, value: Any) -> None:
    config, warnings = read(*args)
    assert (getattr(config, name), warnings) == (value, [])


def test_the_defaults_are_those_of_uvicorn() -> None:
    config, _ = read()
    assert (config.ws, config.ws_max_size, config.ws_max_queue) == ("auto", 16 * 1024 * 1024, 32)
    assert (config.ws_ping_interval, config.ws_ping_timeout, config.ws_per_message_deflate) == (20.0, 20.0, True)


@pytest.mark.parametrize("name", ["websockets", "websockets-sansio", "wsproto"])
def test_another_implementation_warns_and_changes_nothing(name: str) -> None:
    config, (warning,) = read("--ws", name)
    assert config == Config("main:app")
    assert warning.startswith("--ws: ")


def test_compression_takes_a_value() -> None:
    result = CliRunner().invoke(portico, ["main:app", "--ws-per-message-deflate"], prog_name="portico")
    assert result.exit_code == 2
    assert "--ws-per-message-deflate" in result.stderr


def test_there_is_no_flag_that_turns_compression_off() -> None:
    result = CliRunner().invoke(portico, ["main:app", "--no-ws-per-message-deflate"], prog_name="portico")
    assert result.exit_code == 2
    assert "--no-ws-per-message-deflate" in result.stderr


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("PORTICO_WS", "none", "ws", "none"),
        ("PORTICO_WS_MAX_SIZE", "1000", "ws_max_size", 1000),
        ("PORTICO_WS_MAX_QUEUE", "1", "ws_max_queue", 1),
        ("PORTICO_WS_PING_INTERVAL", "none", "ws_ping_interval", None),
        ("PORTICO_WS_PING_TIMEOUT", "0.5", "ws_ping_timeout", 0.5),
        ("PORTICO_WS_PER_MESSAGE_DEFLATE", "off", "ws_per_message_deflate", False),
    ],
)
def test_a_variable_sets_its_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, name: str, value: Any
) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(read()[0], name) == value


def test_the_command_line_beats_the_environment_which_beats_the_file(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / "portico.toml").write_text('ws = "none"\nws_max_size = 1\nws_max_queue = 1\nws_ping_interval = 1\n')
    monkeypatch.setenv("PORTICO_WS_MAX_SIZE", "2")
    monkeypatch.setenv("PORTICO_WS_MAX_QUEUE", "2")
    config, _ = read("--ws-max-size", "3")
    assert (config.ws, config.ws_max_size, config.ws_max_queue, config.ws_ping_interval) == ("none", 3, 2, 1.0)


@pytest.mark.parametrize(
    "args",
    [
        ("--ws", "sansio"),
        ("--ws-max-size", "0"),
        ("--ws-max-size", "none"),
        ("--ws-max-size", "16MB"),
        ("--ws-max-queue", "0"),
        ("--ws-max-queue", "1.5"),
        ("--ws-ping-interval", "-1"),
        ("--ws-ping-interval", "nan"),
        ("--ws-ping-interval", "inf"),
        ("--ws-ping-interval", "20s"),
        ("--ws-ping-timeout", "-0.1"),
        ("--ws-ping-timeout", "soon"),
        ("--ws-per-message-deflate", "maybe"),
        ("--ws-per-message-deflate", ""),
    ],
)
def test_a_value_that_cannot_be_is_refused(args: tuple[str, str]) -> None:
    (problem,) = refused(*args)
    assert problem.startswith(f"{args[0]}: expected ")
    assert repr(args[1]) in problem or args[1] in problem


def test_all_bad_values_are_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_WS_MAX_QUEUE", "many")
    assert refused(
        "--ws", "wsgi", "--ws-max-size", "x", "--ws-ping-timeout", "-1", "--ws-per-message-deflate", "2"
    ) == [
        "PORTICO_WS_MAX_QUEUE: expected a whole number, got 'many'",
        "--ws: expected one of auto, none, got 'wsgi'",
        "--ws-max-size: expected a whole number, got 'x'",
        "--ws-ping-timeout: expected at least 0 s, got -1",
        "--ws-per-message-deflate: expected true or false, got '2'",
    ]


def test_the_help_has_a_group_for_websockets() -> None:
    text = CliRunner().invoke(portico, ["run", "--help"], prog_name="portico").stdout
    group = text.partition("WebSocket:\n")[2].partition("\n\n")[0]
    for option in ("--ws", "--ws-max-size", "--ws-max-queue", "--ws-ping-interval", "--ws-ping-timeout"):
        assert f"  {option} " in group
    assert "  --ws-per-message-deflate " in group
    assert "--no-ws" not in group


ECHO = """
async def app(scope, receive, send):
    assert scope["type"] == "websocket"
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] != "websocket.disconnect":
        if event["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})
"""


@pytest.mark.process
def test_a_command_line_of_uvicorn_serves_websockets(nowhere: Path) -> None:
    (nowhere / "echo.py").write_text(ECHO)
    options = ("--ws", "websockets", "--ws-per-message-deflate", "false", "--ws-ping-interval", "0")
    with served("echo:app", *options, cwd=nowhere) as server:
        with connect(f"ws{server.url.removeprefix('http')}/", proxy=None) as client:
            client.send("hello")
            assert client.recv(5) == "hello"
            assert client.response is not None
            assert "Sec-WebSocket-Extensions" not in client.response.headers
        assert "Warning: --ws: " in server.log
