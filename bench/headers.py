"""What header compression costs: nanoseconds for a block, in process, beside the `hpack` package.

`python -m bench.headers`. Blocks are those of a request and a response that come again and again on a connection,
and of the first ones, with everything spelt out in Huffman's code.
"""

import timeit
from collections.abc import Callable

import hpack

from portico.codec.http2.decoder import HeaderDecoder
from portico.codec.http2.encoder import HeaderEncoder

Fields = list[tuple[bytes, bytes]]

ROUNDS = 50
LOOPS = 100
LIMIT = 65536

BROWSER: Fields = [
    (b":method", b"GET"),
    (b":authority", b"www.example.com"),
    (b":scheme", b"https"),
    (b":path", b"/api/items?page=3&per_page=50&q=blue+shirt"),
    (b"sec-ch-ua", b'"Chromium";v="126", "Not/A)Brand";v="8"'),
    (b"sec-ch-ua-mobile", b"?0"),
    (b"sec-ch-ua-platform", b'"Linux"'),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    (b"sec-fetch-site", b"same-origin"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-dest", b"document"),
    (b"referer", b"https://www.example.com/"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"en-GB,en;q=0.9"),
    (b"cookie", b"sid=0123456789abcdef0123456789abcdef"),
    (b"priority", b"u=0, i"),
]
RESPONSE: Fields = [
    (b"date", b"Thu, 26 Nov 2026 12:00:00 GMT"),
    (b"server", b"portico"),
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"max-age=0, private, must-revalidate"),
    (b"vary", b"accept-encoding, cookie"),
    (b"content-length", b"1234"),
]


def cost(call: Callable[[], object]) -> float:
    """Return the least nanoseconds of a call."""
    return min(timeit.repeat(call, number=LOOPS, repeat=ROUNDS)) / LOOPS * 1e9


def row(name: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    """Print what both take for the same."""
    mine, peer = cost(ours), cost(theirs)
    print(f"{name:40} {mine:8.0f} ns {peer:10.0f} ns {peer / mine:7.0f} x")


def decoding() -> None:
    """Measure blocks of requests."""
    encoder, ours, theirs = hpack.Encoder(), HeaderDecoder(), hpack.Decoder()
    first, again = encoder.encode(BROWSER), encoder.encode(BROWSER)
    other = encoder.encode(BROWSER[:-1])  # so that no block is the one before
    ours.decode(first, LIMIT)
    theirs.decode(first, raw=True)
    row("a browser's request, the first", lambda: HeaderDecoder().decode(first, LIMIT), fresh(first))
    row("... repeated", lambda: ours.decode(again, LIMIT), lambda: theirs.decode(again, raw=True))
    row(
        "... two in turn",
        lambda: (ours.decode(again, LIMIT), ours.decode(other, LIMIT)),
        lambda: (theirs.decode(again, raw=True), theirs.decode(other, raw=True)),
    )


def fresh(block: bytes) -> Callable[[], object]:
    """Return what decodes a block as the first one of a connection."""
    return lambda: hpack.Decoder().decode(block, raw=True)


def encoding() -> None:
    """Measure blocks of responses."""
    ours, theirs = HeaderEncoder(), hpack.Encoder()
    whole = [(b":status", b"200"), *RESPONSE]
    other = [*RESPONSE[:-1], (b"content-length", b"99")]
    row("a response, the first", lambda: HeaderEncoder().encode(200, RESPONSE), lambda: hpack.Encoder().encode(whole))
    row("... repeated", lambda: ours.encode(200, RESPONSE), lambda: theirs.encode(whole))
    row(
        "... two in turn",
        lambda: (ours.encode(200, RESPONSE), ours.encode(200, other)),
        lambda: (theirs.encode(whole), theirs.encode([(b":status", b"200"), *other])),
    )


def main() -> None:
    """Measure and print."""
    print(f"{'':40} {'portico':>11} {'hpack':>13}")
    decoding()
    encoding()


if __name__ == "__main__":
    main()
