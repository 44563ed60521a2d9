"""`portico dev`: how it differs from `portico run`, and real processes whose source changes while they serve."""

import fcntl
import os
import pty
import signal
import socket
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.children import PORTICO, environment
from tests.served import RUNNING, Served, launched

from portico.cli import portico as command
from portico.cli.run import read_settings
from portico.server.config import Config

PROGRAM = """
async def app(scope, receive, send):
    if scope["path"] == "/boom":
        raise ValueError("the fault")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"VERSION"})
"""
MAIN = Path("main.py")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PORTICO_") and name != "PORTICO_PURE"]:
        monkeypatch.delenv(name)
    return tmp_path


def write(version: str = "one", extra: str = "", *, before: str = "") -> None:
    """Write the program as editors do: the file is always whole."""
    new = Path(".main.py.new")
    new.write_text(before + PROGRAM.replace("VERSION", version) + extra)
    new.replace(MAIN)


def invoke(*args: str) -> Result:
    return CliRunner().invoke(command, ["dev", *args], prog_name="portico")


def settings(monkeypatch: pytest.MonkeyPatch, *args: str) -> Config:
    """Return the settings that would be served with."""
    served: list[Config] = []

    def serve(said: Any, beneath: Any) -> int:
        served.append(read_settings(said, beneath)[0])
        return 0

    monkeypatch.setattr("portico.cli.dev.serve", serve)
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    return served[0]


def test_debug_and_reload_are_on_and_the_log_is_for_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(monkeypatch, "main:app")
    assert (config.app, config.debug, config.reload, config.access_log_format) == ("main:app", True, True, "dev")
    assert (config.workers, config.timeout_worker_hang) == (1, None)


def test_what_the_command_means_beats_the_files_and_gives_way_to_options(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("portico.toml").write_text("debug = false\nreload = false\n")
    config = settings(monkeypatch, "main:app")
    assert (config.debug, config.reload) == (True, True)
    config = settings(monkeypatch, "main:app", "--no-debug", "--no-reload")
    assert (config.debug, config.reload) == (False, False)


def test_the_other_defaults_give_way_to_the_file_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("portico.toml").write_text("access_log_format = 'json'\ntimeout_graceful_shutdown = 7\n")
    monkeypatch.setenv("PORTICO_WORKERS", "2")
    monkeypatch.setenv("WEB_CONCURRENCY", "5")
    config = settings(monkeypatch, "main:app")
    assert (config.access_log_format, config.timeout_graceful_shutdown, config.workers) == ("json", 7, 2)


def test_the_application_of_the_file_comes_before_what_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    assert settings(monkeypatch).app == "main:app"
    Path("pyproject.toml").write_text("[tool.portico]\napp = 'other:app'\n")
    assert settings(monkeypatch).app == "other:app"


def test_a_factory_and_a_source_directory_are_found(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    (project / "src" / "shop").mkdir(parents=True)
    (project / "src" / "shop" / "__init__.py").write_text("def create_app(): ...\n")
    config = settings(monkeypatch)
    assert (config.app, config.factory, config.app_dir) == ("shop:create_app", True, str(project / "src"))


def test_the_application_is_looked_for_in_the_directory_to_change_to(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("sub").mkdir()
    write()
    MAIN.rename("sub/main.py")
    config = settings(monkeypatch, "--chdir", "sub")
    assert (config.app, config.app_dir) == ("main:app", str(Path.cwd()))


def test_without_an_application_it_is_said_where_one_was_looked_for() -> None:
    result = invoke()
    assert result.exit_code == 2
    assert result.output.startswith("Error: no application was found in ")
    assert "portico dev main:app" in result.output


def test_wrong_settings_are_said_as_by_run() -> None:
    result = invoke("--port", "no")
    assert (result.exit_code, result.output) == (2, "Error: --port: expected a whole number, got 'no'\n")


def test_the_help_shows_its_own_defaults() -> None:
    text = " ".join(invoke("--help").output.split())
    assert "Replace the workers when a source file changes. [on]" in text
    assert "then its stacks are logged and it is replaced; 0: no limit. [none]" in text


def replaced(server: Served) -> None:
    """Wait until the new code serves and the old has gone: two processes say so, in either order."""
    said = {server.wait_for("Reloaded|Finished worker")[0] for _ in range(2)}
    assert said == {"Reloaded", "Finished worker"}


@contextmanager
def developed(*options: str, **more: Any) -> Iterator[Served]:
    """Run `portico dev`; leaving the block stops it with Ctrl+C and expects a clean exit without a traceback."""
    command = [*PORTICO, "dev", "--port", "0", "--reload-delay", "0.05", *options]
    with launched(command, **({"cwd": None} | more)) as server:
        yield server
        assert server.stop() == 0, server.log


@pytest.mark.once
@pytest.mark.process
def test_a_change_is_served() -> None:
    write("one")
    with developed() as server:
        assert server.client.get("/").text == "one"
        write("two")
        server.wait_for("Reloading: main.py changed")
        replaced(server)
        assert server.client.get("/").text == "two"
    assert "Found the application main:app (main.py, line 2)" in server.log
    assert "Traceback" not in server.log


@pytest.mark.once
@pytest.mark.process
def test_the_old_code_serves_while_the_new_code_is_broken_and_the_error_is_shown(project: Path) -> None:
    write("one")
    with developed("main:app") as server:
        write("two", "def f(:\n")
        server.wait_for(r"SyntaxError: invalid syntax \(main.py, line 7\)")
        server.wait_for(r"^    def f\(:$")
        server.wait_for(r"^          \^$")
        server.wait_for("the old workers keep serving")
        assert server.client.get("/").text == "one"
        write("three", "nowhere\n")
        server.wait_for("NameError: name 'nowhere' is not defined")
        server.wait_for("the old workers keep serving")
        assert server.client.get("/").text == "one"
        write("four")
        replaced(server)
        assert server.client.get("/").text == "four"


@pytest.mark.once
@pytest.mark.process
def test_code_that_is_broken_from_the_start_is_waited_for() -> None:
    write("one", "def f(:\n")
    with developed() as server:
        server.wait_for("Waiting for a change")
        write("two")
        assert server.client.get("/").text == "two"  # it waits for a worker to come
    assert server.log.count("SyntaxError: invalid syntax (main.py") == 1


@pytest.mark.once
@pytest.mark.process
def test_a_change_overtakes_code_that_never_comes_up() -> None:
    write("one")
    with developed() as server:
        write("two", before="import time\nprint('hanging', flush=True)\ntime.sleep(1000)\n")
        server.wait_for("hanging")
        assert server.client.get("/").text == "one"
        write("three")
        replaced(server)
        assert server.client.get("/").text == "three"


@pytest.mark.once
@pytest.mark.process
def test_a_failure_is_shown_to_the_browser_and_logged_once() -> None:
    write()
    with developed() as server:
        answer = server.client.get("/boom", headers={"accept": "text/html"})
        assert answer.status_code == 500
        assert "<title>ValueError: the fault</title>" in answer.text
        server.wait_for(r"\d\d:\d\d:\d\d  500 +\d+\.\d ms  GET /boom")
    assert server.log.count("ValueError: the fault") == 1


@pytest.mark.once
@pytest.mark.process
def test_a_debugger_in_the_application_has_the_terminals_input() -> None:
    write(
        before="import os\n", extra="\nplain = app\n\nasync def app(*args):\n    breakpoint()\n    await plain(*args)\n"
    )
    with developed("--lifespan", "off", stdin=subprocess.PIPE) as server:
        assert server.process.stdin is not None
        with server.process.stdin as stdin:
            stdin.write("print('answer', 6 * 7)\ncontinue\n")
        assert server.client.get("/").text == "one"
        server.wait_for("answer 42")


@pytest.mark.once
@pytest.mark.process
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_at_the_prompt_of_a_debugger_leaves_the_terminal_as_it_was(times: int) -> None:
    write(extra="\nasync def app(*args):\n    breakpoint()\n")
    master, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    process = subprocess.Popen(
        [*PORTICO, "dev", "--port", "0", "--lifespan", "off"],
        env=environment(), stdin=terminal, stdout=terminal, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - nothing else makes it the terminal
    )  # fmt: skip
    try:
        assert process.stderr is not None
        line = ""
        while (match := RUNNING.search(line)) is None:
            line = process.stderr.readline()
            assert line
        host, port = match[1].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            shown = b""
            while b"(Pdb) " not in shown:
                shown += os.read(master, 4096)
            assert termios.tcgetattr(terminal) != before
            for _ in range(times):
                process.send_signal(signal.SIGINT)
            _, log = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Traceback" not in log
        assert termios.tcgetattr(terminal) == before
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(terminal)


@pytest.mark.once
@pytest.mark.process
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_it_while_a_response_is_going_on(times: int) -> None:
    endless = "    while True:\n        await send({'type': 'http.response.body', 'body': b'x', 'more_body': True})\n"
    endless += "        await asyncio.sleep(0.01)\n"
    write(before="import asyncio\n", extra="\n" + PROGRAM.partition("    await send({")[0])
    MAIN.write_text(MAIN.read_text() + PROGRAM.splitlines(True)[-2] + endless)
    with developed() as server, server.client.stream("GET", "/") as answer:
        next(answer.iter_raw())
        for _ in range(times):
            server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
    assert "Traceback" not in server.log
