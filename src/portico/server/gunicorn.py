"""gunicorn's settings as ours, for the worker class that runs under it.

What gunicorn has a setting for, gunicorn's setting decides; of the others, a variable `PORTICO_...` or the worker
class.
"""

from collections.abc import Callable, Mapping
from typing import Any

from portico.server.config import HTTP, HTTP2, LIMITS, SETTINGS, TLS, WEBSOCKET, Config, settle
from portico.server.settling import ConfigError, Given

# Of ours, by the environment and by subclasses: nothing that is decided before a worker is there.
OURS = {name for name, entry in SETTINGS.items() if entry.group in (TLS, HTTP, HTTP2, LIMITS, WEBSOCKET)} - {
    "insecure_bind", "redirect_http", "acme_webroot",
} | {
    "access_log_format", "backlog", "debug", "health", "interface", "lifespan", "loop", "reset_contextvars",
    "root_path", "shutdown_delay", "threads", "timeout_worker_startup",
}  # fmt: skip
UNBOUNDED_BYTES = 1 << 20  # what gunicorn's 0, no limit, is here


def _line(size: int) -> int:
    return size or UNBOUNDED_BYTES


def _head(field_size: int) -> int:
    return max(32768, 4 * field_size) if field_size else UNBOUNDED_BYTES


def _trusted(addresses: str | list[str]) -> str:
    """Return gunicorn's list and `unix`: it trusts whoever reaches its unix socket."""
    return ",".join([addresses] if isinstance(addresses, str) else map(str, addresses)) + ",unix"


# Our setting: gunicorn's, and how its value is read. Those that are not there in this version are passed over.
MAPPED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "threads": ("threads", int),
    "lifespan": ("asgi_lifespan", str),
    "loop": ("asgi_loop", str),
    "root_path": ("root_path", str),
    "backlog": ("backlog", int),
    "timeout_keep_alive": ("keepalive", lambda seconds: max(seconds, 0.1)),
    # At its end gunicorn kills: the last tenth is left to the application's shutdown.
    "timeout_graceful_shutdown": ("graceful_timeout", lambda seconds: 0.9 * seconds),
    "limit_request_line": ("limit_request_line", _line),
    "limit_request_fields": ("limit_request_fields", int),
    "limit_request_head": ("limit_request_field_size", _head),
    "forwarded_allow_ips": ("forwarded_allow_ips", _trusted),
    "ws_max_size": ("websocket_max_message_size", int),
    "access_log_format": ("access_log_format", str),
    "ssl_certfile": ("certfile", lambda path: path),
    "ssl_keyfile": ("keyfile", lambda path: path),
    "ssl_ca_certs": ("ca_certs", lambda path: path),
    "ssl_cert_reqs": ("cert_reqs", int),
    "ssl_ciphers": ("ciphers", lambda ciphers: ciphers),
}
# Likewise, but only where it is not gunicorn's default.
MAPPED_IF_CHANGED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "http2": ("http_protocols", lambda protocols: "h2" in protocols),
    "http2_max_concurrent_streams": ("http2_max_concurrent_streams", int),
    "http2_initial_window_size": ("http2_initial_window_size", int),
    "http2_max_frame_size": ("http2_max_frame_size", int),
}
UNUSED = {
    "pre_request": "is not called: middleware sees each request",
    "post_request": "is not called: middleware sees each request",
    "worker_connections": "has no effect: PORTICO_LIMIT_CONNECTIONS limits connections",
    "statsd_host": "gets no figures of requests from this worker",
    "http2_cleartext": "has no effect: PORTICO_HTTP2_CLEARTEXT and PORTICO_HTTP2_UPGRADE decide",
    "http2_max_header_list_size": "has no effect: limit_request_field_size bounds header sections",
    "ssl_version": "has no effect: PORTICO_SSL_MINIMUM_VERSION decides",
    "do_handshake_on_connect": "has no effect: the handshake does not block the worker",
    "suppress_ragged_eofs": "has no effect: connections that are cut are nobody's error",
    "secure_scheme_headers": "has no effect: X-Forwarded-* and Forwarded of trusted proxies are read",
    "forwarder_headers": "has no effect: PORTICO_ROOT_PATH says where the application is mounted",
    "header_map": "has no effect: fields with _ stay apart from those with -",
    "permit_obsolete_folding": "has no effect: malformed requests are refused",
    "permit_unconventional_http_method": "has no effect: malformed requests are refused",
    "permit_unconventional_http_version": "has no effect: malformed requests are refused",
    "casefold_http_method": "has no effect: methods are case-sensitive",
    "strip_header_spaces": "has no effect: malformed requests are refused",
}


def read_settings(app: Any, cfg: Any, environment: Mapping[str, str], own: Mapping[str, Any]) -> Config:
    """Return our settings out of gunicorn's, of variables, and of a worker class's own.

    The class's own beat gunicorn's, those beat the variables, and those beat gunicorn's defaults. Raises ConfigError.
    """
    given: dict[str, Given] = {}
    problems = _refused(cfg)
    if "SCRIPT_NAME" in environment:
        given["root_path"] = Given(environment["SCRIPT_NAME"], "SCRIPT_NAME")
    for name, (theirs, read) in MAPPED.items():
        if theirs in cfg.settings and (name not in given or is_changed(cfg, theirs)):
            given[name] = Given(read(cfg.settings[theirs].get()), theirs)
    for name, (theirs, read) in MAPPED_IF_CHANGED.items():
        if is_changed(cfg, theirs):
            given[name] = Given(read(cfg.settings[theirs].get()), theirs)
    if cfg.is_ssl and is_changed(cfg, "ssl_context"):
        given["ssl_context_factory"] = Given(lambda _, usual: cfg.ssl_context(cfg, usual), "ssl_context")
    for name in OURS:
        variable = f"PORTICO_{name.upper()}"
        if variable in environment and not is_changed(cfg, (MAPPED | MAPPED_IF_CHANGED).get(name, ("", str))[0]):
            given[name] = Given(environment[variable], variable, is_text=True)
    for name, value in own.items():
        if name in OURS:
            given[name] = Given(value, f"CONFIG_KWARGS: {name}")
        else:
            why = "is gunicorn's to decide" if name in SETTINGS else "is no setting of Portico"
            problems.append(f"CONFIG_KWARGS: {name} {why}")
    # An empty log_config says that logging is set up already: the access log goes to its logger.
    given |= {
        "app": Given(app, "app"),
        "access_log": Given(_logs_access(cfg), "accesslog"),
        "log_config": Given({}, "log_config"),
    }
    values, found = settle(given)
    if problems or found:
        raise ConfigError(problems + found)
    return Config(**values)


def _refused(cfg: Any) -> list[str]:
    """Return what is asked for and is not there, and that must not be passed over in silence."""
    problems = []
    if cfg.proxy_protocol not in (False, None, "off"):
        problems.append("proxy_protocol: PorticoWorker does not read the PROXY protocol yet; leave it out")
    if getattr(cfg, "protocol", "http") != "http":
        problems.append(f"protocol: PorticoWorker speaks HTTP, not {cfg.protocol}")
    return problems


def _logs_access(cfg: Any) -> bool:
    configured = cfg.accesslog or cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json
    return bool(configured or (cfg.syslog and not cfg.disable_redirect_access_to_syslog))


def is_changed(cfg: Any, name: str) -> bool:
    """Tell whether one of gunicorn's settings is not as gunicorn has it by default."""
    setting = cfg.settings.get(name)
    return setting is not None and bool(setting.get() != type(setting)().get())
