"""URLs, and where the two ends of a connection are.

The URL of a request is put together from its parts, and keeps them: however the path looks, it cannot move the
authority. That is taken from the Host field only if it is one.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from portico.asgi import Scope
from portico.http.urls import is_authority, is_ipv6
from portico.web.datastructures.multidict import MultiDict, parse_query

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
SECURE_SCHEMES = ("https", "wss")
SCHEMES = {"http": ("http", "https"), "websocket": ("ws", "wss")}
HIDDEN = "********"
MAX_KNOWN_HOSTS = 256

# Characters that would end the path, and those that clients of all kinds read differently.
PATH_ESCAPES = {code: f"%{code:02X}" for code in (*range(0x20), 0x7F, ord("?"), ord("#"), ord("\\"))}
QUERY_ESCAPES = {code: f"%{code:02X}" for code in (*range(0x20), 0x7F, ord("#"))}
ASCII = bytes(range(0x80))

_known_hosts: dict[bytes, str] = {}


class Address(NamedTuple):
    """An end of a connection."""

    host: str
    port: int


class URL:
    """A URL; compares with strings.

    Args:
        url: The URL as text.
        scope: The ASGI scope of a request, instead.
        components: Parts of a URL, instead: scheme, netloc, path, query, fragment, username, password, hostname, port.
    """

    _url: str
    _components: SplitResult | None = None

    def __init__(self, url: str = "", scope: Scope | None = None, **components: Any) -> None:
        if scope is not None:
            if url or components:
                raise TypeError("a URL is made of one of url, scope and components, not of several")
            self._set_scope(scope, None, None)
        elif components:
            if url:
                raise TypeError("a URL is made of one of url, scope and components, not of several")
            self._url = URL("").replace(**components)._url
        else:
            self._url = url

    @classmethod
    def of_scope(cls, scope: Scope, path: str | None = None, query: bytes | None = None) -> "URL":
        """Return the URL of a request, or of another path and query on the same host.

        Args:
            scope: The scope of the request.
            path: The path, if not the scope's.
            query: The query, if not the scope's.
        """
        url = cls.__new__(cls)
        url._set_scope(scope, path, query)
        return url

    def _set_scope(self, scope: Scope, path: str | None, query: bytes | None) -> None:
        self._components = parts = split_scope(scope, path, query)
        scheme, netloc, path, text, _ = parts
        url = f"{scheme}://{netloc}{path}" if netloc else path
        self._url = f"{url}?{text}" if text else url

    @property
    def components(self) -> SplitResult:
        if self._components is None:
            self._components = urlsplit(self._url)
        return self._components

    @property
    def scheme(self) -> str:
        return self.components.scheme

    @property
    def netloc(self) -> str:
        return self.components.netloc

    @property
    def path(self) -> str:
        return self.components.path

    @property
    def query(self) -> str:
        return self.components.query

    @property
    def fragment(self) -> str:
        return self.components.fragment

    @property
    def username(self) -> str | None:
        return self.components.username

    @property
    def password(self) -> str | None:
        return self.components.password

    @property
    def hostname(self) -> str | None:
        return self.components.hostname

    @property
    def port(self) -> int | None:
        return self.components.port

    @property
    def is_secure(self) -> bool:
        return self.components.scheme in SECURE_SCHEMES

    def replace(self, **kwargs: Any) -> "URL":
        """Return the URL with other components, the same as the constructor takes; None leaves one away."""
        parts = self.components
        if not kwargs.keys().isdisjoint(("username", "password", "hostname", "port")):
            kwargs["netloc"] = _authority(
                kwargs.pop("hostname", None) or _host(parts.netloc),
                kwargs.pop("port", parts.port),
                kwargs.pop("username", parts.username),
                kwargs.pop("password", parts.password),
            )
        return type(self)(join(parts._replace(**kwargs)))

    def include_query_params(self, **kwargs: Any) -> "URL":
        """Return the URL with these parameters in place of those of the same names."""
        params = MultiDict(parse_query(self.query))
        params.update({name: str(value) for name, value in kwargs.items()})
        return self.replace(query=urlencode(params.multi_items()))

    def replace_query_params(self, **kwargs: Any) -> "URL":
        """Return the URL with these parameters and no others."""
        return self.replace(query=urlencode([(name, str(value)) for name, value in kwargs.items()]))

    def remove_query_params(self, keys: str | Sequence[str]) -> "URL":
        """Return the URL without the parameter, or without several."""
        params = MultiDict(parse_query(self.query))
        for key in (keys,) if isinstance(keys, str) else keys:
            params.pop(key)
        return self.replace(query=urlencode(params.multi_items()))

    def __eq__(self, other: object) -> bool:
        return self._url == str(other)

    def __hash__(self) -> int:
        return hash(self._url)

    def __str__(self) -> str:
        return self._url

    def __repr__(self) -> str:
        shown = self.replace(password=HIDDEN) if self.password else self
        return f"{type(self).__name__}({shown._url!r})"


class URLPath(str):
    """The path of a route, with the kind of its protocol and the host that it is served for, if any.

    Args:
        path: The path.
        protocol: `http`, `websocket`, or empty where it may be either.
        host: The authority, or empty where it is the request's.
    """

    protocol: Literal["http", "websocket", ""]
    host: str

    def __new__(cls, path: str, protocol: Literal["http", "websocket", ""] = "", host: str = "") -> "URLPath":
        if protocol and protocol not in SCHEMES:
            raise ValueError(f"the protocol of a path is 'http', 'websocket' or '', not {protocol!r}")
        self = super().__new__(cls, without_authority(path.replace("\\", "%5C")))
        self.protocol = protocol
        self.host = host
        return self

    def make_absolute_url(self, base_url: str | URL) -> URL:
        """Return the URL of the path below the base's path; the base says whether it is secure."""
        base = URL(base_url) if isinstance(base_url, str) else base_url
        scheme = SCHEMES[self.protocol][base.is_secure] if self.protocol else base.scheme
        path = base.path.rstrip("/") + self
        return URL(scheme=scheme, netloc=self.host or base.netloc, path=path)


def split_scope(scope: Scope, path: str | None, query: bytes | None) -> SplitResult:
    """Return the components of the URL that the scope stands for, with another path or query if they are given."""
    scheme = scope.get("scheme", "http")
    if path is None:
        path = scope["path"]
    if "?" in path or "#" in path or "\\" in path or not path.isprintable():
        path = path.translate(PATH_ESCAPES)
    if query is None:
        query = scope.get("query_string", b"")
    host = _scope_host(scope, scheme)
    if path and path[0] != "/":
        path = "/" + path
    if not host:
        return SplitResult("", "", without_authority(path), _query_text(query), "")
    return SplitResult(scheme, host, path, _query_text(query) if query else "", "")


def _scope_host(scope: Scope, scheme: str) -> str:
    """Return the authority of the request: that of its Host field, else that of the server, else none."""
    for name, value in scope["headers"]:
        if name == b"host":
            host = _known_hosts.get(value) or _host_text(value)
            if host is not None:
                return host
            break
    server = scope.get("server")
    if server is None or server[1] is None:  # a Unix socket has a path and no port
        return ""
    host = f"[{server[0]}]" if ":" in server[0] and server[0][0] != "[" else server[0]
    return host if server[1] == DEFAULT_PORTS.get(scheme) else f"{host}:{server[1]}"


def _host_text(value: bytes) -> str | None:
    """Return a Host field's value as text, or None where it is none (RFC 9110 section 7.2)."""
    name, colon, port = value.rpartition(b":")
    plain = value
    if colon and len(port) > 5 and port.isdigit():
        plain = name + colon + port.lstrip(b"0")
    # Python's reader of URLs refuses a future form of address that is written with a capital.
    if not is_authority(plain) or value.startswith(b"[V"):
        return None
    text = value.decode("ascii")
    if len(_known_hosts) < MAX_KNOWN_HOSTS:
        _known_hosts[value] = text
    return text


def _query_text(query: bytes) -> str:
    """Return the query as text that ends neither the query nor the line."""
    try:
        text = query.decode()
    except UnicodeDecodeError:
        text = quote(query, safe=ASCII)
    if "#" in text or not text.isprintable():
        text = text.translate(QUERY_ESCAPES)
    return text


def _authority(host: str, port: int | str | None, username: str | None = None, password: str | None = None) -> str:
    if ":" in host and host[0] != "[" and is_ipv6(host.encode("latin-1", "replace")):
        host = f"[{host}]"
    if port is not None:
        host = f"{host}:{port}"
    if username is None:
        return host
    return f"{username}@{host}" if password is None else f"{username}:{password}@{host}"


def _host(netloc: str) -> str:
    """Return the host in an authority, as it is written there."""
    host = netloc.rpartition("@")[2]
    return host if host.endswith("]") else host.rsplit(":", 1)[0]


def without_authority(path: str) -> str:
    """Return a path that is not taken for an authority where no host stands before it."""
    return "/%2F" + path[2:] if path.startswith("//") else path


def join(parts: SplitResult) -> str:
    """Return the URL that has these components."""
    scheme, netloc, path, query, fragment = parts
    if netloc:
        url = f"//{netloc}{path}" if not path or path[0] == "/" else f"//{netloc}/{path}"
    elif path.startswith("//") or (scheme and parts.geturl().startswith(scheme + "://")):
        url = "//" + path
    else:
        url = path
    if scheme:
        url = f"{scheme}:{url}"
    if query:
        url = f"{url}?{query}"
    return f"{url}#{fragment}" if fragment else url
