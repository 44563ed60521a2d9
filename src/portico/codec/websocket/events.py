"""What a WebSocket peer sends, as values; a text message is a `str` and a binary one `bytes`, whole, unframed."""


class Ping:
    """Answer it with a pong of the same data (RFC 6455 §5.5.2)."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ping) and self.data == other.data

    def __hash__(self) -> int:
        return hash((Ping, self.data))

    def __repr__(self) -> str:
        return f"Ping({self.data!r})"


class Pong:
    """The peer is alive (RFC 6455 §5.5.3)."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pong) and self.data == other.data

    def __hash__(self) -> int:
        return hash((Pong, self.data))

    def __repr__(self) -> str:
        return f"Pong({self.data!r})"


class Close:
    """The peer sends nothing more; the code is 1005 where the frame had none (RFC 6455 §5.5.1)."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Close) and (self.code, self.reason) == (other.code, other.reason)

    def __hash__(self) -> int:
        return hash((Close, self.code, self.reason))

    def __repr__(self) -> str:
        return f"Close({self.code}, {self.reason!r})"


class Violation:
    """The peer broke a rule: close with this code, and read nothing more (RFC 6455 §7.1.7)."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Violation) and (self.code, self.reason) == (other.code, other.reason)

    def __hash__(self) -> int:
        return hash((Violation, self.code, self.reason))

    def __repr__(self) -> str:
        return f"Violation({self.code}, {self.reason!r})"


Event = str | bytes | Ping | Pong | Close | Violation
