"""The table of settings and its sources: what a value may be, which source wins, and that all problems come at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portico.asgi import PorticoError
from portico.server.config import DEFAULTS, SETTINGS, Config
from portico.server.settling import ConfigError, Given
from portico.server.sources import gather


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve nothing."""


def problems(make: Callable[[], object]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make()
    return caught.value.problems


def of(**settings: Any) -> list[str]:
    return problems(lambda: Config(app, **settings))


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    return tmp_path


# --- the table ----------------------------------------------------------------------------------


def test_the_defaults_are_good_settings() -> None:
    config = Config(app)
    assert {name: getattr(config, name) for name in SETTINGS} == DEFAULTS | {"app": app}


def test_every_setting_has_a_help_and_a_group() -> None:
    assert all(entry.help.endswith((".", ")")) and entry.group for entry in SETTINGS.values())


def test_a_setting_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config(app).port = 1  # type: ignore[misc]


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="prot"):
        Config(app, prot=1)  # type: ignore[call-arg]


def test_a_config_error_is_a_portico_error_and_shows_every_problem() -> None:
    with pytest.raises(PorticoError, match=r"(?s)port: .*backlog: "):
        Config(app, port=-1, backlog=0)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("port", 0, 0),
        ("timeout_body", 2, 2.0),
        ("timeout_graceful_shutdown", 0, 0.0),
        ("limit_request_body", 0, 0),
        ("limit_connections", None, None),
        ("log_level", "DEBUG", "debug"),
        ("loop", "uvloop", "uvloop"),
        ("loop", "my.loops:new", "my.loops:new"),
        ("root_path", "/shop/", "/shop"),
        ("root_path", "/", ""),
        ("bind", "127.0.0.1:1", ("127.0.0.1:1",)),
        ("bind", ["[::1]:1", "unix:/a", "fd://3"], ("[::1]:1", "unix:/a", "fd://3")),
        ("headers", ["X-A: 1", ("X-B", "2"), (b"x-c", b"3")], (("X-A", "1"), ("X-B", "2"), ("x-c", "3"))),
        ("headers", {"X-A": "a:b"}, (("X-A", "a:b"),)),
        ("headers", ["X-Empty:"], (("X-Empty", ""),)),
        ("forwarded_allow_ips", ["10.0.0.0/8", "unix"], "10.0.0.0/8,unix"),
        ("access_log_format", "%(h)s %(s)s", "%(h)s %(s)s"),
        ("app_dir", Path(), "."),
        ("log_config", {"version": 1}, {"version": 1}),
        ("access_log_file", "-", "-"),
    ],
)
def test_a_value_is_kept_in_its_final_form(name: str, value: Any, kept: Any) -> None:
    assert getattr(Config(app, **{name: value}), name) == kept


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("port", 65536, "at most 65535"),
        ("port", -1, "at least 0"),
        ("port", "8000", "whole number, got '8000'"),
        ("port", True, "whole number"),
        ("port", None, "whole number"),
        ("timeout_header", 0, "at least 0.001 s"),
        ("timeout_header", float("nan"), "seconds"),
        ("timeout_header", float("inf"), "seconds"),
        ("timeout_header", "10", "seconds"),
        ("access_log", 1, "true or false"),
        ("log_level", "loud", "one of critical, error"),
        ("interface", "cgi", "one of auto, asgi3, asgi2, wsgi"),
        ("loop", "trio", "or module:attribute"),
        ("host", "a\nb", "a line of text"),
        ("host", 1, "a line of text"),
        ("root_path", "shop", "starts with /"),
        ("health", "/ok?full=1", "has no ? or #, got '/ok?full=1'"),
        ("bind", ["nonsense:x"], "'nonsense:x' is no address"),
        ("bind", 8000, "a list of addresses"),
        ("headers", ["X-A"], "Name:Value"),
        ("headers", ["X A: 1"], "not the name"),
        ("headers", ["X-A: 1\r\nX-B: 2"], "no header field may have"),
        ("headers", [("X-A", "\0")], "no header field may have"),
        ("headers", [("X-A", "€")], "no header field may have"),
        ("headers", 3, "a list of fields"),
        ("uds_permissions", 0o1000, "octal permissions"),
        ("uds_permissions", "rw", "octal permissions"),
        ("forwarded_allow_ips", "10.0.0.0/99,me", "'10.0.0.0/99', 'me'"),
        ("access_log_format", "%(nothing)s", "unknown atoms 'nothing'"),
        ("access_log_file", "missing/access.log", "no file that can be written"),
        ("log_config", "missing.ini", "there is no file"),
        ("env_file", "missing.env", "there is no file"),
        ("app_dir", "missing", "there is no directory"),
    ],
)
def test_a_bad_value_is_refused(name: str, value: Any, says: str) -> None:
    (problem,) = of(**{name: value})
    assert problem.startswith(f"{name}: ")
    assert says in problem


@pytest.mark.parametrize("value", [None, "", 3])
def test_something_must_be_served(value: Any) -> None:
    (problem,) = problems(lambda: Config(value))
    assert problem.startswith("app: ")


def test_all_problems_come_at_once() -> None:
    assert [problem.partition(":")[0] for problem in of(port=-1, backlog=0, log_level="x", uds="a", fd=3)] == [
        "port",
        "backlog",
        "log_level",
        "uds and fd",
    ]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"uds": "/a", "fd": 3}, "uds and fd: choose one"),
        ({"bind": [":1"], "uds": "/a"}, "give the second as a bind too, unix:/PATH"),
        ({"bind": [":1"], "fd": 3}, "give the second as a bind too, fd://N"),
        ({"uds_permissions": 0o660}, "there is no unix socket"),
        ({"supervise": False, "workers": 2}, "workers: several need the supervisor; leave out supervise"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], says: str) -> None:
    (problem,) = of(**settings)
    assert says in problem


@pytest.mark.parametrize("name", ["preload", "reload"])
def test_what_needs_the_supervisor_names_the_option_that_turns_it_off(name: str) -> None:
    command_line = {"supervise": Given(False, "--supervise"), name: Given(True, f"--{name}")}
    (problem,) = problems(lambda: gather(said() | command_line, {}))
    assert problem == f"--{name}: this is what the supervisor does; leave out --no-supervise"


@pytest.mark.parametrize("where", [{"uds": "/a"}, {"bind": ["unix:/a"]}])
def test_permissions_are_for_unix_sockets(where: dict[str, Any]) -> None:
    assert Config(app, uds_permissions=0o660, **where).uds_permissions == 0o660


def test_forwarded_allow_ips_has_a_variable_for_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.1.1.1")
    assert Config(app).forwarded_allow_ips == "10.1.1.1"
    assert Config(app, forwarded_allow_ips="10.2.2.2").forwarded_allow_ips == "10.2.2.2"


# --- the sources --------------------------------------------------------------------------------


def said(**texts: str) -> dict[str, Given]:
    """Return what a command line would give."""
    return {name: Given(text, f"--{name}", is_text=True) for name, text in {"app": "main:app", **texts}.items()}


def test_without_sources_the_defaults_hold() -> None:
    assert gather(said(), {}) == Config("main:app")


def test_the_command_line_beats_the_environment_which_beats_the_file(nowhere: Path) -> None:
    (nowhere / "portico.toml").write_text("port = 1\nbacklog = 1\nlimit_pipeline = 1\n")
    config = gather(said(port="3"), {"PORTICO_PORT": "2", "PORTICO_BACKLOG": "2"})
    assert (config.port, config.backlog, config.limit_pipeline) == (3, 2, 1)


def test_the_general_variable_of_proxies_is_only_a_default(nowhere: Path) -> None:
    environment = {"FORWARDED_ALLOW_IPS": "10.1.1.1"}
    assert gather(said(), environment).forwarded_allow_ips == "10.1.1.1"
    (nowhere / "portico.toml").write_text('forwarded-allow-ips = "10.2.2.2"')
    assert gather(said(), environment).forwarded_allow_ips == "10.2.2.2"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("access_log", "off", False),
        ("access_log", "TRUE", True),
        ("use_colors", "", None),
        ("limit_connections", "none", None),
        ("limit_request_body", "10", 10),
        ("timeout_header", "0.5", 0.5),
        ("bind", "127.0.0.1:1, [::1]:1", ("127.0.0.1:1", "[::1]:1")),
        ("headers", "X-A: 1\nX-B: 2, 3", (("X-A", "1"), ("X-B", "2, 3"))),
    ],
)
def test_a_variable_is_read_as_text(name: str, text: str, value: Any) -> None:
    assert getattr(gather(said(), {f"PORTICO_{name.upper()}": text}), name) == value


def test_permissions_are_octal_text() -> None:
    assert gather(said(), {"PORTICO_UDS": "/a", "PORTICO_UDS_PERMISSIONS": "660"}).uds_permissions == 0o660


@pytest.mark.parametrize("text", ["", "1_000", "0x10", "٣", "1.0", "9" * 30])
def test_a_number_is_written_in_digits(text: str) -> None:
    (problem,) = problems(lambda: gather(said(), {"PORTICO_PORT": text}))
    assert problem == f"PORTICO_PORT: expected a whole number, got {text!r}"


def test_the_problems_of_all_sources_come_at_once_under_their_names(nowhere: Path) -> None:
    (nowhere / "portico.toml").write_text('prot = 1\nbacklog = "many"\nfd = 3\n')
    found = problems(lambda: gather(said(port="x"), {"PORTICO_LOG_LEVEL": "loud", "PORTICO_UDS": "/a"}))
    assert found == [
        "portico.toml: there is no setting 'prot': did you mean 'port'?",
        "portico.toml: backlog: expected a whole number, got 'many'",
        "PORTICO_LOG_LEVEL: expected one of critical, error, warning, info, debug, trace, got 'loud'",
        "--port: expected a whole number, got 'x'",
        "PORTICO_UDS and portico.toml: fd: choose one, or give several addresses with bind",
    ]


def test_the_file_may_be_the_projects(nowhere: Path) -> None:
    (nowhere / "pyproject.toml").write_text('[tool.portico]\napp = "site:app"\nheaders = { X-A = "1" }\n')
    config = gather({}, {})
    assert (config.app, config.headers) == ("site:app", (("X-A", "1"),))


def test_a_file_of_its_own_comes_before_the_projects(nowhere: Path) -> None:
    (nowhere / "pyproject.toml").write_text("[tool.portico]\nport = 1\n")
    (nowhere / "portico.toml").write_text("port = 2\n")
    assert gather(said(), {}).port == 2


@pytest.mark.parametrize("text", ["", "[tool.other]\nx = 1\n", "dependencies = ['portico']\n"])
def test_a_project_without_settings_is_none(nowhere: Path, text: str) -> None:
    (nowhere / "pyproject.toml").write_text(text)
    assert gather(said(), {}) == Config("main:app")


def test_a_file_can_be_named(nowhere: Path) -> None:
    (nowhere / "portico.toml").write_text("port = 1\n")
    (nowhere / "other.toml").write_text("port = 2\n")
    assert gather(said(), {}, "other.toml").port == 2
    assert gather(said(), {"PORTICO_CONFIG": "other.toml"}).port == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b"port = ", "Invalid value"), (b"\xff", "utf-8"), (b"tool = 1", "no setting 'tool'")],
)
def test_a_bad_file_is_a_problem(nowhere: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (nowhere / "my.toml").write_bytes(content)
    (problem,) = problems(lambda: gather(said(), {}, "my.toml"))
    assert problem.startswith("my.toml: ")
    assert says in problem


def test_an_env_file_fills_in_the_environment(nowhere: Path) -> None:
    pytest.importorskip("dotenv")
    (nowhere / ".env").write_text("PORTICO_PORT=1\nPORTICO_BACKLOG=1\nSECRET='a b'\n")
    environment = {"PORTICO_BACKLOG": "2"}
    config = gather(said(env_file=".env"), environment)
    assert (config.port, config.backlog, environment["SECRET"]) == (1, 2, "a b")


def test_the_settings_of_a_missing_app_are_a_problem() -> None:
    (problem,) = problems(lambda: gather({}, {}))
    assert "module:attribute" in problem
