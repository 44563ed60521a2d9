"""Which content coding a response is sent in (RFC 9110 §12.5.3)."""

from portico.http.media_types import parse_accept

MAX_KNOWN_FIELDS = 256
ALIASES = {"x-gzip": "gzip"}  # RFC 9110 §8.4.1.3


class Choice:
    """What an Accept-Encoding field comes to: a coding, or None; and whether the plain content is refused."""

    __slots__ = ("coding", "identity_refused")

    def __init__(self, coding: str | None, identity_refused: bool = False) -> None:
        self.coding = coding
        self.identity_refused = identity_refused


PLAIN = Choice(None)


class Negotiator:
    """Choose among codings by the client's weights; those of equal weight by the order that they are given in."""

    def __init__(self, codings: tuple[str, ...]) -> None:
        self.codings = codings
        self.known: dict[bytes, Choice] = {}

    def choose(self, accept_encoding: bytes | None) -> Choice:
        """Return the choice for the value of an Accept-Encoding field; without one the client asks for nothing."""
        if accept_encoding is None:
            return PLAIN
        choice = self.known.get(accept_encoding)
        if choice is None:
            choice = self._choose(accept_encoding.decode("latin-1"))
            if len(self.known) < MAX_KNOWN_FIELDS:  # browsers send a handful, but anybody may send anything
                self.known[accept_encoding] = choice
        return choice

    def _choose(self, accept_encoding: str) -> Choice:
        weights: dict[str, float] = {}
        for name, weight in parse_accept(accept_encoding):
            weights.setdefault(ALIASES.get(name, name), weight)
        others = weights.get("*", 0.0)
        best, best_weight = None, 0.0
        for coding in self.codings:
            weight = weights.get(coding, others)
            if weight > best_weight:
                best, best_weight = coding, weight
        identity = weights.get("identity", weights.get("*"))
        if identity is None:
            return Choice(best)  # acceptable though not listed, and the last choice then
        if weights.get("identity", 0.0) > best_weight:
            return PLAIN
        return Choice(best, identity_refused=identity == 0.0)
