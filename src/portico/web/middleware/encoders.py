"""Content codings that responses are written in: gzip, brotli and zstd, one encoder a response."""

import zlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol

GZIP_WINDOW = 16 + zlib.MAX_WBITS
INSTALL = "pip install 'portico[compression]'"
# 512 KiB: each stream that is open keeps its window, and there may be thousands. RFC 9659 allows zstd 8 MiB.
WINDOW_LOG = 19
LEVELS = {"gzip": (0, 9), "br": (0, 11), "zstd": (1, 19)}


class Encoder(Protocol):
    """A stream being compressed."""

    def encode(self, data: bytes, last: bool) -> bytes:
        """Return all of the data compressed, so that the receiver can read it at once; `last` ends the stream."""
        ...


class GzipEncoder:
    """RFC 1952."""

    __slots__ = ("stream",)

    def __init__(self, level: int) -> None:
        self.stream = zlib.compressobj(level, zlib.DEFLATED, GZIP_WINDOW)

    def encode(self, data: bytes, last: bool) -> bytes:
        """Return all of the data compressed."""
        return self.stream.compress(data) + self.stream.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)


def encoder_factory(coding: str, level: int) -> Callable[[], Encoder]:
    """Return what makes encoders of the coding.

    Raises:
        ValueError: If the coding is unknown, or the level none of its levels.
        ImportError: If the package that has the coding is not installed.
    """
    if coding not in LEVELS:
        raise ValueError(f"responses are compressed as {', '.join(map(repr, LEVELS))}, got {coding!r}")
    lowest, highest = LEVELS[coding]
    if not lowest <= level <= highest:
        raise ValueError(f"the level of {coding!r} is {lowest} to {highest}, got {level!r}")
    if coding == "gzip":
        return lambda: GzipEncoder(level)
    return _brotli(level) if coding == "br" else _zstd(level)


def installed_codings() -> tuple[str, ...]:
    """Return the codings that can be used here, the best for responses made on the fly first."""
    codings = []
    if find_spec("compression.zstd" if find_spec("compression") else "zstandard"):
        codings.append("zstd")
    if find_spec("brotli"):
        codings.append("br")
    return (*codings, "gzip")


def _brotli(level: int) -> Callable[[], Encoder]:
    try:
        import brotli  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise ImportError(f"the coding 'br' needs the package brotli: {INSTALL}") from error

    class BrotliEncoder:
        """RFC 7932."""

        __slots__ = ("stream",)

        def __init__(self) -> None:
            self.stream = brotli.Compressor(quality=level, lgwin=WINDOW_LOG)

        def encode(self, data: bytes, last: bool) -> bytes:
            stream = self.stream
            out: bytes = stream.process(data)
            out += stream.finish() if last else stream.flush()
            return out

    return BrotliEncoder


def _zstd(level: int) -> Callable[[], Encoder]:
    try:
        from compression.zstd import CompressionParameter, ZstdCompressor  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return _zstandard(level)
    options = {CompressionParameter.compression_level: level, CompressionParameter.window_log: WINDOW_LOG}

    class ZstdEncoder:
        """RFC 8878."""

        __slots__ = ("stream",)

        def __init__(self) -> None:
            self.stream = ZstdCompressor(options=options)

        def encode(self, data: bytes, last: bool) -> bytes:
            stream = self.stream
            return stream.compress(data, stream.FLUSH_FRAME if last else stream.FLUSH_BLOCK)  # type: ignore[no-any-return, unused-ignore]

    return ZstdEncoder


def _zstandard(level: int) -> Callable[[], Encoder]:
    try:
        import zstandard
    except ImportError as error:
        raise ImportError(f"the coding 'zstd' needs Python 3.14 or the package zstandard: {INSTALL}") from error
    parameters = zstandard.ZstdCompressionParameters.from_level(level, window_log=WINDOW_LOG)
    block, finish = zstandard.COMPRESSOBJ_FLUSH_BLOCK, zstandard.COMPRESSOBJ_FLUSH_FINISH

    class ZstandardEncoder:
        """RFC 8878, before Python 3.14."""

        __slots__ = ("stream",)

        def __init__(self) -> None:
            # One compressor a stream: it must not work in two threads at once.
            self.stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()

        def encode(self, data: bytes, last: bool) -> bytes:
            return self.stream.compress(data) + self.stream.flush(finish if last else block)

    return ZstandardEncoder
