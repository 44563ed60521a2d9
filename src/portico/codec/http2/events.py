"""What HTTP/2 has to say beside the events of every HTTP codec."""


class Reset:
    """The stream has ended before its time, by the client or for what the client did: nothing more can be sent."""

    __slots__ = ("code",)

    def __init__(self, code: int) -> None:
        self.code = code  # RFC 9113 §7

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reset) and self.code == other.code

    def __hash__(self) -> int:
        return hash(self.code)

    def __repr__(self) -> str:
        return f"Reset({self.code})"


class Violation:
    """The client broke a rule of the connection, which a GOAWAY frame has told it: write that, and close."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Violation) and (self.code, self.reason) == (other.code, other.reason)

    def __hash__(self) -> int:
        return hash((self.code, self.reason))

    def __repr__(self) -> str:
        return f"Violation({self.code}, {self.reason!r})"


class Pong:
    """The client has answered our PING."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data
