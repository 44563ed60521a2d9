"""Messages as HTTP/2 writes them (RFC 9113 §8): decoded fields to a request, an application's fields to a response's.

What is wrong with a request is one of two things: a `str`, the reason why it is malformed and its stream is reset with
PROTOCOL_ERROR (§8.1.1), or a `Fault`, which is answered.
"""

import re
from typing import Any

from portico.codec.events import Fault, Request
from portico.codec.fields import (
    CONTENT_LENGTH,
    CR,
    DATE,
    HOP_BY_HOP,
    HSTS,
    LF,
    MAX_LENGTH_DIGITS,
    NUL,
    PLAIN,
    SERVER,
    check_length,
    check_name,
    check_value,
)
from portico.codec.http2.tables import STATIC
from portico.codec.limits import Limits
from portico.http.headers import FORBIDDEN_TRAILERS, is_token
from portico.http.methods import METHODS
from portico.http.octets import NOT_IN_LOWER_NAME, NOT_IN_TARGET, has_any, has_control
from portico.http.urls import decode_path, is_authority

Field = tuple[bytes, bytes]

METHOD, SCHEME, AUTHORITY, PATH, PROTOCOL = range(1, 6)
PSEUDO = {b":method": METHOD, b":scheme": SCHEME, b":authority": AUTHORITY, b":path": PATH, b":protocol": PROTOCOL}
# What other fields of a request steer, beside Content-Length; UNKNOWN: the name is still to be checked.
UNKNOWN, HOST, COOKIE, TE, EXPECT, FORWARDED, PRIORITY, MISPLACED, FORBIDDEN = range(10, 19)
CONNECTION_SPECIFIC = (
    b"connection keep-alive proxy-connection transfer-encoding upgrade http2-settings".split()
)  # §8.2.2
NAMES = {
    **{name: PLAIN for name, _ in STATIC if name and not name.startswith(b":")},
    **dict.fromkeys(
        b"dnt origin pragma sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site "
        b"sec-fetch-user upgrade-insecure-requests x-requested-with x-request-id traceparent x-real-ip".split(),
        PLAIN,
    ),
    **dict.fromkeys(
        b"forwarded x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto".split(), FORWARDED
    ),
    **dict.fromkeys(CONNECTION_SPECIFIC, FORBIDDEN),
    **dict.fromkeys(PSEUDO, MISPLACED),
    b"content-length": CONTENT_LENGTH,
    b"cookie": COOKIE,
    b"expect": EXPECT,
    b"host": HOST,
    b"priority": PRIORITY,
    b"te": TE,
}
SCHEME_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*+")  # RFC 3986 §3.1
SPACE, TAB, SLASH = 32, 9, 47
MAX_KNOWN_NAMES = 1024
MAX_KNOWN_LENGTHS = 4096

# A name as applications spell it -> (lower-case name, kind, whether it is lower-case as it stands).
_names: dict[bytes, tuple[bytes, int, bool]] = {}
_lengths: dict[int, Field] = {}


# Requests


def read_request(fields: list[Field], ended: bool, limits: Limits) -> Request | str | Fault:
    """Return the request that a header block holds; where it has not `ended`, a body follows, or a tunnel."""
    method = scheme = authority = path = protocol = None
    count = 0
    for name, value in fields:
        kind = PSEUDO.get(name, 0)
        if kind == METHOD and method is None:
            method = value
        elif kind == PATH and path is None:
            path = value
        elif kind == SCHEME and scheme is None:
            scheme = value
        elif kind == AUTHORITY and authority is None:
            authority = value
        elif kind == PROTOCOL and protocol is None:
            protocol = value
        else:  # a pseudo-header field that comes twice, or that nobody knows, is refused among the others
            break
        count += 1
    request = Request()
    request.http_version = "2"
    request.has_body = not ended
    request.content_length = 0 if ended else -1
    if method is None:
        return "no :method"
    if authority is not None and not is_authority(authority):
        return "malformed :authority"
    if protocol is None:
        refusal = _read_method(request, method, scheme, path)
    else:
        refusal = _read_protocol(request, method, protocol, ended)
    if protocol is not None or method != b"CONNECT":
        refusal = _worse(refusal, read_target(request, scheme, path, limits))
    if type(refusal) is str:
        return refusal
    refusal = _worse(refusal, _read_fields(request, fields[count:], scheme, authority, limits))
    return request if refusal is None else refusal


def _worse(first: str | Fault | None, second: str | Fault | None) -> str | Fault | None:
    """Return what is made of two refusals: a malformed request is reset, though it could be answered, too."""
    return second if first is None or type(second) is str else first


def _read_method(request: Request, method: bytes, scheme: bytes | None, path: bytes | None) -> str | Fault | None:
    known = METHODS.get(method)
    if known is not None:
        request.method = known
        return None
    if method == b"CONNECT":  # §8.5
        if scheme is not None or path is not None:
            return "CONNECT with :scheme or :path"
        return Fault(501, "CONNECT is not implemented")
    return Fault(501, "method is not implemented") if is_token(method) else "malformed :method"


def _read_protocol(request: Request, method: bytes, protocol: bytes, ended: bool) -> str | Fault | None:
    """Read an extended CONNECT (RFC 8441 §4): what follows is the tunnel's, and no body."""
    if method != b"CONNECT":
        return ":protocol without CONNECT"
    if not is_token(protocol):
        return "malformed :protocol"
    request.method = "CONNECT"
    request.protocol = protocol.lower()
    request.has_body = False
    request.content_length = 0
    if request.protocol != b"websocket":
        return Fault(501, "protocol is not implemented")
    return Fault(400, "a request that opens a WebSocket does not end its stream") if ended else None


def read_target(request: Request, scheme: bytes | None, path: bytes | None, limits: Limits) -> str | Fault | None:
    """Check scheme and path, and split the path (§8.3.1)."""
    if scheme is None or path is None:
        return "no :scheme or no :path"
    if scheme != b"https" and scheme != b"http":
        return "malformed :scheme" if SCHEME_NAME.fullmatch(scheme) is None else Fault(400, "scheme is not known")
    if len(path) > limits.line:
        return Fault(414, ":path is too long")
    if not path or has_any(path, NOT_IN_TARGET):
        return "malformed :path"
    request.target = path
    if path[0] != SLASH and (path != b"*" or request.method != "OPTIONS"):  # RFC 9110 §7.1
        return "malformed :path"
    mark = path.find(b"?")
    if mark >= 0:
        request.query_string = path[mark + 1 :]
        path = path[:mark]
    request.raw_path = path
    request.path = decode_path(path)
    return None


def _read_fields(
    request: Request, fields: list[Field], scheme: bytes | None, authority: bytes | None, limits: Limits
) -> str | Fault | None:
    """Check the fields that are no pseudo-header fields, and take note of those that steer the request."""
    cookies: list[bytes] = []
    length = host = fault = None
    for name, value in fields:
        kind = NAMES.get(name, UNKNOWN)
        if kind == UNKNOWN and (not name or has_any(name, NOT_IN_LOWER_NAME)):
            return "malformed field name"
        if not _is_value(value):
            return "malformed field value"
        if kind in (PLAIN, UNKNOWN):
            continue
        if kind == COOKIE:
            cookies.append(value)
        elif kind == FORWARDED:
            request.forwarded = True
        elif kind == PRIORITY:
            request.priority = value if request.priority is None else request.priority + b", " + value
        elif kind == CONTENT_LENGTH:
            if length is not None or not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                return "malformed content-length"
            length = value
        elif kind == TE:
            if value.lower() != b"trailers":  # §8.2.2
                return "te is not trailers"
            request.wants_trailers = True
        elif kind == EXPECT:
            if value.lower() != b"100-continue":
                fault = Fault(417, "expectation is not known")
            request.expects_continue = True
        elif kind == HOST:
            if host is not None:
                return "host comes twice"
            host = value
        else:
            return "pseudo-header field out of place" if kind == MISPLACED else "connection-specific field"
    if len(cookies) > 1:  # §8.2.3
        fields = [field for field in fields if field[0] != b"cookie"]
        fields.append((b"cookie", b"; ".join(cookies)))
    if authority is not None:
        if host is not None:
            if host != authority and _normal_host(host, scheme) != _normal_host(authority, scheme):  # §8.3.1
                return "host is not :authority"
            fields = [field for field in fields if field[0] != b"host"]
        fields.insert(0, (b"host", authority))
    elif host is None or not is_authority(host):
        fault = Fault(400, "a request has :authority or Host")
    request.headers = fields
    if len(fields) > limits.fields:
        fault = Fault(431, "too many header fields")
    if length is None:
        return fault
    return _read_length(request, int(length), limits) or fault


def _read_length(request: Request, length: int, limits: Limits) -> str | Fault | None:
    if not request.has_body and length:
        return "content-length without a body"  # §8.1.1
    request.content_length = length
    return Fault(413, "body is too large") if 0 <= limits.body < length else None


def _is_value(value: bytes) -> bool:
    """Tell whether the bytes are a field value (§8.2.1), without any control character (RFC 9110 §5.5)."""
    if not value:
        return True
    first, last = value[0], value[-1]
    if first in (SPACE, TAB) or last in (SPACE, TAB):
        return False
    return not has_control(value)


def _normal_host(host: bytes, scheme: bytes | None) -> bytes:
    """Return an authority as it is compared: in lower case, without the port that goes without saying."""
    default = b":443" if scheme == b"https" else b":80"
    return host.lower().removesuffix(default).removesuffix(b":")


def read_trailers(fields: list[Field]) -> list[Field] | str:
    """Return the trailers that a header block holds, or the reason why they are malformed."""
    for name, value in fields:
        kind = NAMES.get(name, UNKNOWN)
        if kind >= MISPLACED:
            return "pseudo-header field among trailers" if kind == MISPLACED else "connection-specific field"
        if not name or has_any(name, NOT_IN_LOWER_NAME) or not _is_value(value):
            return "malformed trailer"
        if name in FORBIDDEN_TRAILERS:
            return "field not allowed as a trailer"
    return fields[:]


# Responses


def length_field(length: int) -> Field:
    """Return the Content-Length field; those of small bodies are kept."""
    field = _lengths.get(length)
    if field is None:
        field = (b"content-length", b"%d" % length)
        if length < MAX_KNOWN_LENGTHS:
            _lengths[length] = field
    return field


def learn_name(name: object) -> tuple[bytes, int, bool]:
    """Return a name in lower case, what it steers, and whether it is lower-case; FieldError where it is not a token."""
    lower, kind = check_name(name)
    if lower in CONNECTION_SPECIFIC:
        kind = HOP_BY_HOP
    known = (lower, kind, lower == name)
    if len(_names) < MAX_KNOWN_NAMES:
        _names[name] = known  # type: ignore[index]
    return known


class ResponseFields:
    """The fields of a response as an application gives them, checked; one object takes those of one after the other."""

    __slots__ = ("content_length", "fields", "has_date", "has_hsts", "has_server")

    def __init__(self) -> None:
        self.fields: list[Field] = []  # names in lower case; without Content-Length and what is the connection's
        self.content_length = -1  # as declared; -1: it was not
        self.has_date = False
        self.has_hsts = False
        self.has_server = False

    def take(self, headers: Any) -> None:
        """Take the fields of a response; raises FieldError where they cannot be sent."""
        fields: list[Field] = []
        self.content_length = -1
        self.has_date = self.has_server = self.has_hsts = False
        for field in headers:
            name, given = field
            known = _names.get(name) if type(name) is bytes else None
            lower, kind, ready = learn_name(name) if known is None else known
            if type(given) is not bytes:
                check_value(name, given)
                given = bytes(given)
                ready = False
            value = given
            if LF in value or CR in value or NUL in value:
                check_value(name, value)
            if value and (value[0] in (SPACE, TAB) or value[-1] in (SPACE, TAB)):  # §8.2.1
                value = value.strip(b" \t")
                ready = False
            if kind != PLAIN and not self._steer(kind, value):
                continue
            fields.append(field if ready and type(field) is tuple else (lower, value))
        self.fields = fields

    def _steer(self, kind: int, value: bytes) -> bool:
        """Take note of a field that steers the message; return whether it is sent as it stands."""
        if kind == CONTENT_LENGTH:
            self.content_length = check_length(value, self.content_length)
            return False
        if kind == DATE:
            self.has_date = True
        elif kind == SERVER:
            self.has_server = True
        elif kind == HSTS:
            self.has_hsts = True
        else:
            return False  # §8.2.2: what is the connection's has no place in HTTP/2
        return True
