"""Where the settings of a worker under gunicorn come from: gunicorn's own, variables, and a worker class's."""

import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from gunicorn.config import Config as GunicornConfig
from tests.certificates import authority, local
from tests.children import environment

from portico.asgi import Receive, Scope, Send
from portico.server.config import SETTINGS, Config
from portico.server.gunicorn import MAPPED, MAPPED_IF_CHANGED, OURS, UNUSED, read_settings
from portico.server.settling import ConfigError
from portico.server.tls.certificates import Certificates


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nobody calls it")


def read(environment: Mapping[str, str] | None = None, own: Mapping[str, Any] | None = None, **theirs: Any) -> Config:
    cfg = GunicornConfig()
    for name, value in theirs.items():
        cfg.set(name, value)
    return read_settings(app, cfg, environment or {}, own or {})


def problems(environment: Mapping[str, str] | None = None, own: Mapping[str, Any] | None = None, **theirs: Any) -> Any:
    with pytest.raises(ConfigError) as caught:
        read(environment, own, **theirs)
    return caught.value.problems


def test_the_tables_name_settings_that_exist() -> None:
    assert SETTINGS.keys() >= OURS
    assert MAPPED.keys() | MAPPED_IF_CHANGED.keys() <= OURS
    known = GunicornConfig().settings.keys()
    if "http2_cleartext" not in known:
        pytest.skip("this gunicorn is older than some of them")
    assert {theirs for theirs, _ in (MAPPED | MAPPED_IF_CHANGED).values()} | UNUSED.keys() <= known


@pytest.mark.parametrize(
    ("theirs", "value", "name", "ours"),
    [
        ("keepalive", 75, "timeout_keep_alive", 75.0),
        ("keepalive", 0, "timeout_keep_alive", 0.1),
        ("graceful_timeout", 20, "timeout_graceful_shutdown", 18.0),
        ("limit_request_line", 200, "limit_request_line", 200),
        ("limit_request_line", 0, "limit_request_line", 1 << 20),
        ("limit_request_fields", 7, "limit_request_fields", 7),
        ("limit_request_field_size", 100, "limit_request_head", 32768),
        ("limit_request_field_size", 16384, "limit_request_head", 65536),
        ("limit_request_field_size", 0, "limit_request_head", 1 << 20),
        ("backlog", 9, "backlog", 9),
        ("threads", 3, "threads", 3),
        ("forwarded_allow_ips", "10.0.0.1,::1", "forwarded_allow_ips", "10.0.0.1,::1,unix"),
        ("forwarded_allow_ips", "*", "forwarded_allow_ips", "*,unix"),
        ("root_path", "/shop", "root_path", "/shop"),
        ("asgi_loop", "asyncio", "loop", "asyncio"),
        ("asgi_lifespan", "off", "lifespan", "off"),
        ("websocket_max_message_size", 5, "ws_max_size", 5),
        ("accesslog", "-", "access_log", True),
        ("access_log_format", "%(m)s", "access_log_format", "%(m)s"),
        ("http_protocols", "h1", "http2", True),
        ("http_protocols", "h2,h1", "http2", True),
        ("http2_max_concurrent_streams", 5, "http2_max_concurrent_streams", 5),
        ("http2_initial_window_size", 70000, "http2_initial_window_size", 70000),
        ("http2_max_frame_size", 20000, "http2_max_frame_size", 20000),
    ],
)
def test_gunicorns_setting_is_taken(theirs: str, value: Any, name: str, ours: Any) -> None:
    if theirs not in GunicornConfig().settings:
        pytest.skip(f"this gunicorn has no {theirs}")
    assert getattr(read(**{theirs: value}), name) == ours


def test_gunicorns_certificates_are_taken() -> None:
    files = {"certfile": local().certfile, "keyfile": local().keyfile, "ca_certs": authority().file}
    config = read(**files, cert_reqs=2, ciphers="ECDHE+AESGCM")
    assert config == replace(
        read(),
        ssl_certfile=local().certfile,
        ssl_keyfile=local().keyfile,
        ssl_ca_certs=authority().file,
        ssl_cert_reqs="required",
        ssl_ciphers="ECDHE+AESGCM",
    )
    other = authority().issue("other")
    variables = {"PORTICO_SSL_CERTFILE": other.certfile, "PORTICO_SSL_MINIMUM_VERSION": "1.3"}
    assert read(variables, certfile=local().certfile).ssl_certfile == local().certfile
    assert read(variables).ssl_certfile == other.certfile
    assert read(variables).ssl_minimum_version == "1.3"


def test_gunicorns_hook_makes_the_context() -> None:
    def hook(config: Any, usual: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        context = usual()
        context.minimum_version = ssl.TLSVersion.TLSv1_3 if config.workers else ssl.TLSVersion.TLSv1_2
        return context

    config = read(certfile=local().certfile, keyfile=local().keyfile, ssl_context=hook)
    assert Certificates(config).context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert not read(ssl_context=hook).tls


def test_gunicorns_windows_are_taken_only_where_somebody_has_chosen_them() -> None:
    assert read().http2_initial_window_size == SETTINGS["http2_initial_window_size"].default


def test_gunicorns_defaults_are_taken() -> None:
    config = read()
    assert (config.timeout_keep_alive, config.limit_request_line, config.threads) == (2.0, 4094, 1)
    assert config.access_log is False


def test_a_variable_sets_what_gunicorn_lacks() -> None:
    assert read({"PORTICO_HEALTH": "/up", "PORTICO_WS_ORIGINS": "https://a"}).health == "/up"


def test_a_variable_beats_gunicorns_default_and_nothing_else_of_gunicorns() -> None:
    variables = {"PORTICO_TIMEOUT_KEEP_ALIVE": "60", "PORTICO_BACKLOG": "60"}
    assert read(variables).timeout_keep_alive == 60
    assert read(variables, keepalive=5, backlog=5).timeout_keep_alive == 5


def test_the_script_name_is_the_root_path_where_nobody_says_otherwise() -> None:
    assert read({"SCRIPT_NAME": "/shop"}).root_path == "/shop"
    assert read({"SCRIPT_NAME": "/shop", "PORTICO_ROOT_PATH": "/"}).root_path == ""


def test_a_worker_classs_own_settings_beat_all() -> None:
    assert read({"PORTICO_TIMEOUT_KEEP_ALIVE": "60"}, {"timeout_keep_alive": 7}, keepalive=5).timeout_keep_alive == 7


def test_what_gunicorn_decides_is_no_setting_of_a_variable_or_a_class() -> None:
    assert read({"PORTICO_WORKERS": "many"}).workers == 1
    assert problems(own={"workers": 2, "wrokers": 2}) == [
        "CONFIG_KWARGS: workers is gunicorn's to decide",
        "CONFIG_KWARGS: wrokers is no setting of Portico",
    ]


def test_all_problems_are_found_at_once() -> None:
    found = problems({"PORTICO_HEALTH": "up"}, {"ws": "wsproto"}, certfile="no.pem", access_log_format="%(x)s")
    labels = sorted(problem.partition(": ")[0] for problem in found)
    assert labels == ["CONFIG_KWARGS", "PORTICO_HEALTH", "access_log_format", "certfile"]


def test_the_proxy_protocol_is_refused() -> None:
    assert "does not read the PROXY protocol" in problems(proxy_protocol=True)[0]


def test_gunicorn_is_named_where_it_is_missing() -> None:
    program = (
        "import sys\nsys.modules['gunicorn'] = None\n"
        "try:\n    import portico.workers\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "PorticoError portico.workers needs gunicorn: pip install 'gunicorn>=23'\n"
