"""Files that were compressed beforehand, and which of their codings a client likes best (RFC 9110 §12.5.3)."""

from functools import lru_cache

from portico.http.media_types import parse_accept

# By preference where the client has none: the smaller first.
ENCODINGS = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}


# A longer field is nobody's that wants compression; it would only fill the memory.
MAX_FIELD = 512


def choose(accepted: bytes, available: tuple[str, ...]) -> str | None:
    """Return the coding that an Accept-Encoding field prefers among those that there are; None for none of them."""
    return None if len(accepted) > MAX_FIELD else _choose(accepted, available)


@lru_cache(maxsize=256)
def _choose(accepted: bytes, available: tuple[str, ...]) -> str | None:
    weights = dict(parse_accept(accepted.decode("latin-1")))
    other = weights.get("*", 0.0)
    best, best_weight = None, weights.get("identity", 0.0)
    for encoding in available:
        weight = weights.get(encoding, other)
        if weight > 0 and weight >= best_weight and (best is None or weight > best_weight):
            best, best_weight = encoding, weight
    return best
