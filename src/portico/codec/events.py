"""What a peer sends, as values: every HTTP codec yields these, in the order `Request (Data* End)?`, or a `Fault`."""


class Request:
    """The head of a request; `Data` and `End` follow only where `has_body` is true."""

    __slots__ = (
        "connection_upgrade",
        "content_length",
        "expects_continue",
        "forwarded",
        "has_body",
        "headers",
        "http_version",
        "keep_alive",
        "method",
        "path",
        "priority",
        "protocol",
        "query_string",
        "raw_path",
        "target",
        "upgrades",
        "wants_trailers",
    )

    def __init__(self) -> None:
        self.method = ""
        self.target = b""  # as received
        self.path = ""
        self.raw_path = b""
        self.query_string = b""
        self.http_version = "1.1"
        self.headers: list[tuple[bytes, bytes]] = []
        self.keep_alive = True
        self.has_body = False
        self.content_length = -1  # -1: unknown until the end of the body
        self.expects_continue = False
        self.wants_trailers = False  # `TE: trailers`
        self.forwarded = False  # has a field that a proxy sets
        self.upgrades: list[bytes] | None = None  # members of Upgrade, lower-case; None without the field
        self.connection_upgrade = False  # `Connection: upgrade`
        self.protocol = b""  # of an extended CONNECT (RFC 8441 §4), lower-case
        self.priority: bytes | None = None  # the Priority field (RFC 9218), of HTTP/2

    def copy(self) -> "Request":
        """Return another one, whose list of headers is its own."""
        copy = Request.__new__(Request)
        copy.method = self.method
        copy.target = self.target
        copy.path = self.path
        copy.raw_path = self.raw_path
        copy.query_string = self.query_string
        copy.http_version = self.http_version
        copy.headers = self.headers[:]
        copy.keep_alive = self.keep_alive
        copy.has_body = self.has_body
        copy.content_length = self.content_length
        copy.expects_continue = self.expects_continue
        copy.wants_trailers = self.wants_trailers
        copy.forwarded = self.forwarded
        copy.upgrades = self.upgrades
        copy.connection_upgrade = self.connection_upgrade
        copy.protocol = self.protocol
        copy.priority = self.priority
        return copy


class Data:
    """A piece of the body, without its framing."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class End:
    """The end of a body, with its trailers."""

    __slots__ = ("trailers",)

    def __init__(self, trailers: list[tuple[bytes, bytes]]) -> None:
        self.trailers = trailers


class Fault:
    """The peer broke a rule: answer with this status, close, and read nothing more."""

    __slots__ = ("fields", "reason", "status")

    def __init__(self, status: int, reason: str, fields: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        self.fields = fields  # field lines that the status asks for

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fault) and (self.status, self.reason) == (other.status, other.reason)

    def __hash__(self) -> int:
        return hash((self.status, self.reason))

    def __repr__(self) -> str:
        return f"Fault({self.status}, {self.reason!r})"


Event = Request | Data | End | Fault
