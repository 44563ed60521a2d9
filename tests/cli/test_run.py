"""The command line: how options become settings, what is refused before anything is opened, and real processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.children import PORTICO, environment
from tests.served import served

from portico import __version__
from portico.cli import portico
from portico.cli.run import flag, read_settings, run
from portico.cli.uvicorn import FOREIGN
from portico.server.config import SETTINGS, Config
from portico.server.settling import ConfigError


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty directory, with no settings around."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PORTICO_") or name == "FORWARDED_ALLOW_IPS"]:
        monkeypatch.delenv(name)
    return tmp_path


def invoke(*args: str) -> Result:
    return CliRunner().invoke(portico, args, prog_name="portico")


def read(*args: str) -> tuple[Config, list[str]]:
    """Return the settings and the warnings of a command line."""
    with click.Context(run) as context:
        run.parse_args(context, list(args))
    return read_settings(dict(context.params))


def refused(*args: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(*args)
    return caught.value.problems


# --- options become settings --------------------------------------------------------------------


def test_every_setting_has_an_option() -> None:
    flags = {option for parameter in run.params for option in parameter.opts}
    assert {flag(name, entry) for name, entry in SETTINGS.items() if name != "app"} <= flags


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (("--host", "::1"), "host", "::1"),
        (("--port", "0"), "port", 0),
        (("--uds", "/a"), "uds", "/a"),
        (("--fd", "3"), "fd", 3),
        (("--bind", ":1", "--bind", "unix:/a"), "bind", (":1", "unix:/a")),
        (("--uds", "/a", "--uds-permissions", "660"), "uds_permissions", 0o660),
        (("--root-path", "/shop"), "root_path", "/shop"),
        (("--header", "X-A: 1", "--header", "X-B:2:3"), "headers", (("X-A", "1"), ("X-B", "2:3"))),
        (("--no-proxy-headers",), "proxy_headers", False),
        (("--no-access-log",), "access_log", False),
        (("--no-server-header",), "server_header", False),
        (("--no-date-header",), "date_header", False),
        (("--use-colors",), "use_colors", True),
        (("--no-use-colors",), "use_colors", False),
        (("--factory",), "factory", True),
        (("--reset-contextvars",), "reset_contextvars", True),
        (("--reuse-port",), "reuse_port", True),
        (("--app-dir", "."), "app_dir", "."),
        (("--forwarded-allow-ips", "*"), "forwarded_allow_ips", "*"),
        (("--interface", "asgi2"), "interface", "asgi2"),
        (("--lifespan", "off"), "lifespan", "off"),
        (("--loop", "asyncio"), "loop", "asyncio"),
        (("--log-level", "trace"), "log_level", "trace"),
        (("--backlog", "9"), "backlog", 9),
        (("--limit-concurrency", "9"), "limit_concurrency", 9),
        (("--limit-connections", "none"), "limit_connections", None),
        (("--timeout-keep-alive", "0.5"), "timeout_keep_alive", 0.5),
        (("--timeout-graceful-shutdown", "3"), "timeout_graceful_shutdown", 3.0),
        (("--access-log-format", "json"), "access_log_format", "json"),
    ],
)
def test_an_option_sets_its_setting(args: tuple[str, ...], name: str, value: Any) -> None:
    config, warnings = read("main:app", *args)
    assert (getattr(config, name), warnings) == (value, [])


def test_the_command_line_beats_the_environment_which_beats_the_file(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / "portico.toml").write_text('app = "file:app"\nport = 1\nbacklog = 1\naccess_log = true\n')
    monkeypatch.setenv("PORTICO_PORT", "2")
    monkeypatch.setenv("PORTICO_BACKLOG", "2")
    config, _ = read("--port", "3", "--no-access-log")
    assert (config.app, config.port, config.backlog, config.access_log) == ("file:app", 3, 2, False)


def test_a_file_can_be_named(nowhere: Path) -> None:
    (nowhere / "other.toml").write_text("port = 2\n")
    assert read("main:app", "--config", "other.toml")[0].port == 2


# --- options of uvicorn -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [("--http", "auto"), ("--ws", "auto"), ("--workers", "1"), ("--http2",), ("--limit-max-requests-jitter", "0")],
)
def test_what_changes_nothing_is_taken_in_silence(args: tuple[str, ...]) -> None:
    assert read("main:app", *args) == (Config("main:app"), [])


@pytest.mark.parametrize(
    "args",
    [("--http", "h11"), ("--ws", "wsproto")],
)
def test_what_has_no_effect_warns(args: tuple[str, ...]) -> None:
    config, (warning,) = read("main:app", *args)
    assert config == Config("main:app")
    assert warning.startswith(f"{args[0]}: ")


def test_the_head_size_of_h11_is_a_limit() -> None:
    config, (warning,) = read("main:app", "--h11-max-incomplete-event-size", "999")
    assert config.limit_request_head == 999
    assert "--limit-request-head" in warning
    assert refused("main:app", "--h11-max-incomplete-event-size", "x")[0].startswith("--h11-max-incomplete-event-size:")


def test_no_setting_hides_behind_an_option_of_uvicorn() -> None:
    assert not FOREIGN.keys() & SETTINGS.keys()


# --- errors -------------------------------------------------------------------------------------


def test_all_problems_are_printed_at_once_and_the_status_is_2() -> None:
    result = invoke("run", "main:app", "--port", "x", "--workers", "0", "--header", "A: b\r", "--uds", "a", "--fd", "3")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "Error: --port: expected a whole number, got 'x'",
        "Error: --workers: expected at least 1, got 0",
        "Error: --header: the value of A has characters that no header field may have: 'b\\r'",
        "Error: --uds and --fd: choose one, or give several addresses with bind",
    ]


@pytest.mark.parametrize("args", [("run",), ("run", "--port", "1"), ("--port", "1")])
def test_something_must_be_served(args: tuple[str, ...]) -> None:
    result = invoke(*args)
    assert result.exit_code == 2
    assert "name an application as module:attribute" in result.stderr


def test_an_unknown_option_is_refused_with_the_near_one() -> None:
    result = invoke("main:app", "--prot", "1")
    assert result.exit_code == 2
    assert "--port" in result.stderr


def test_a_bad_log_config_is_refused(nowhere: Path) -> None:
    (nowhere / "log.json").write_text("{")
    result = invoke("main:app", "--log-config", "log.json")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: log_config: log.json: ")


# --- help ---------------------------------------------------------------------------------------


def test_the_version() -> None:
    assert invoke("--version").stdout == f"portico, version {__version__}\n"


def test_the_help_is_in_groups() -> None:
    lines = invoke("run", "--help").stdout.splitlines()
    groups = list(dict.fromkeys(f"{entry.group}:" for entry in SETTINGS.values()))
    assert [line for line in lines if line and line[0] != " " and line.endswith(":")] == [*groups, "Other:"]
    assert any("--workers" in line for line in lines)


def test_options_may_come_first() -> None:
    assert "--limit-request-line" in invoke("--no-access-log", "--help").stdout


# --- processes ----------------------------------------------------------------------------------

HELLO = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def portico_process(*args: str, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PORTICO, *args],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.process
def test_an_application_is_served_with_settings_from_everywhere(nowhere: Path) -> None:
    (nowhere / "hello.py").write_text(HELLO)
    (nowhere / "portico.toml").write_text('headers = ["X-File: 1"]\nlog_level = "debug"\n')
    with served("hello", "--no-server-header", env={"PORTICO_DATE_HEADER": "off"}, cwd=nowhere) as server:
        answer = server.client.get("/")
        log = server.log
    assert (answer.text, answer.headers["x-file"]) == ("hello", "1")
    assert not {"server", "date"} & set(answer.headers)
    assert log.startswith("INFO:     Started server process [")


@pytest.mark.process
def test_run_may_be_left_out(nowhere: Path) -> None:
    (nowhere / "hello.py").write_text(HELLO)
    command = [*PORTICO, "--bind", "127.0.0.1:0", "hello:app"]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Portico running on" in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == 0


NOT_IMPORTED = pytest.mark.parametrize(
    ("app", "says"),
    [
        ("missing:app", "there is no module 'missing' in "),
        ("broken:app", "importing 'broken' failed: ModuleNotFoundError: No module named 'nowhere' (broken.py, "),
        ("hello:ap", "the module 'hello' (hello.py) has no attribute 'ap': did you mean 'app'?"),
        ("hello.py", "'hello.py' is not module:attribute, such as main:app: did you mean 'hello:app'?"),
    ],
)


@pytest.mark.process
@NOT_IMPORTED
def test_an_application_that_cannot_be_imported_is_a_short_message(nowhere: Path, app: str, says: str) -> None:
    (nowhere / "hello.py").write_text(HELLO)
    (nowhere / "broken.py").write_text("import nowhere\n")
    process = portico_process(app, "--no-supervise", "--port", "0")
    assert process.returncode == 1
    assert process.stderr.startswith(f"Error: {says}")
    assert process.stderr.count("\n") == 1


@pytest.mark.process
@NOT_IMPORTED
def test_the_supervisor_says_what_its_worker_could_not_import_and_ends(nowhere: Path, app: str, says: str) -> None:
    (nowhere / "hello.py").write_text(HELLO)
    (nowhere / "broken.py").write_text("import nowhere\n")
    process = portico_process(app, "--port", "0")
    assert process.returncode == 1
    assert process.stderr.count(f"has not started: {says}") == 1
    assert process.stderr.endswith("ERROR:    No worker has started. Exiting.\n")


@pytest.mark.process
def test_wrong_settings_stop_before_a_socket_is_opened(nowhere: Path) -> None:
    path = nowhere / "socket"
    process = portico_process("run", "hello:app", "--uds", str(path), env={"PORTICO_BACKLOG": "none"})
    assert process.returncode == 2
    assert process.stderr == "Error: PORTICO_BACKLOG: expected a whole number, got 'none'\n"
    assert not path.exists()


@pytest.mark.process
def test_a_busy_address_is_a_short_message(nowhere: Path) -> None:
    (nowhere / "hello.py").write_text(HELLO)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = portico_process("hello:app", "--port", str(taken.getsockname()[1]))
    assert process.returncode == 1
    assert "already in use" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.process
def test_click_is_for_the_command_line_only() -> None:
    code = "import sys, portico.server.server; sys.exit('click' in sys.modules or 'tomllib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode == 0
