"""Content codings that requests are read in. A decoder gives bounded pieces, however much a few bytes stand for."""

import zlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol

from portico.web.middleware.encoders import INSTALL

# RFC 9659: nobody has to keep more than 8 MiB for a zstd stream; one that asks for more is refused.
ZSTD_WINDOW_LOG = 23
# A zstd block of four bytes can stand for 128 KiB, so zstandard, which knows no bound, gets few bytes at a time.
ZSTANDARD_STEP = 256
# A gzip file of 20 bytes stands for nothing but work.
MAX_GZIP_MEMBERS = 1000


class BadEncoding(Exception):
    """The content is not in the coding that it claims."""


class Decoder(Protocol):
    """A stream being decoded: data in, then pieces out until there are none."""

    @property
    def finished(self) -> bool:
        """Whether the stream has come to its end, and nothing follows."""
        ...

    def feed(self, data: bytes) -> None:
        """Take more of the stream. What was taken before has been read."""
        ...

    def read(self, limit: int) -> bytes:
        """Return about `limit` bytes at most; nothing when more data is needed.

        Raises:
            BadEncoding: If the stream is broken.
        """
        ...


class ZlibDecoder:
    """gzip (RFC 1952, of several members as well) and deflate (RFC 1950; bare RFC 1951, which some clients send)."""

    def __init__(self, coding: str) -> None:
        self.is_gzip = coding == "gzip"
        self.stream: Any = None
        self.members = 0
        self.rest = b""
        self.finished = False

    def feed(self, data: bytes) -> None:
        """Take more of the stream."""
        self.rest += data

    def read(self, limit: int) -> bytes:
        """Return `limit` bytes at most."""
        while self.rest:
            if self.stream is None:
                if len(self.rest) < 2 and not self.is_gzip:
                    return b""
                self.members += 1
                if self.members > MAX_GZIP_MEMBERS:
                    raise BadEncoding
                self.stream = zlib.decompressobj(self._window())
                self.finished = False
            try:
                out: bytes = self.stream.decompress(self.rest, limit)
            except zlib.error as error:
                raise BadEncoding from error
            if self.stream.eof:
                self.rest = self.stream.unused_data
                self.stream = None
                self.finished = True
                if self.rest and not self.is_gzip:
                    raise BadEncoding
            else:
                self.rest = self.stream.unconsumed_tail
            if out:
                return out
        return self._kept_back(limit)

    def _kept_back(self, limit: int) -> bytes:
        """Return what zlib has read but not given, because the limit came first."""
        if self.stream is None:
            return b""
        out: bytes = self.stream.decompress(b"", limit)
        if self.stream.eof:
            self.stream = None
            self.finished = True
        return out

    def _window(self) -> int:
        if self.is_gzip:
            return 16 + zlib.MAX_WBITS
        first, second = self.rest[0], self.rest[1]
        has_header = first & 0x0F == 8 and (first << 8 | second) % 31 == 0
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


class BrotliDecoder:
    """br (RFC 7932)."""

    def __init__(self) -> None:
        import brotli  # type: ignore[import-not-found, import-untyped, unused-ignore]

        self.stream = brotli.Decompressor()
        self.error = brotli.error
        self.rest = b""

    @property
    def finished(self) -> bool:
        """Whether the stream has come to its end."""
        return bool(self.stream.is_finished()) and not self.rest

    def feed(self, data: bytes) -> None:
        """Take more of the stream."""
        self.rest += data

    def read(self, limit: int) -> bytes:
        """Return about `limit` bytes at most."""
        if self.stream.is_finished():
            if self.rest:
                raise BadEncoding
            return b""
        data = b""
        if self.stream.can_accept_more_data():
            data, self.rest = self.rest, b""
        try:
            return self.stream.process(data, output_buffer_limit=limit)  # type: ignore[no-any-return, unused-ignore]
        except self.error as error:
            raise BadEncoding from error


class ZstdDecoder:
    """zstd (RFC 8878), by Python 3.14."""

    def __init__(self) -> None:
        from compression import zstd  # type: ignore[import-not-found, import-untyped, unused-ignore]

        self.error = zstd.ZstdError
        self.stream = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG})
        self.rest = b""

    @property
    def finished(self) -> bool:
        """Whether the stream has come to its end."""
        return bool(self.stream.eof) and not self.rest

    def feed(self, data: bytes) -> None:
        """Take more of the stream."""
        self.rest += data

    def read(self, limit: int) -> bytes:
        """Return `limit` bytes at most."""
        if self.stream.eof:
            if self.rest or self.stream.unused_data:
                raise BadEncoding
            return b""
        data, self.rest = self.rest, b""
        try:
            return self.stream.decompress(data, limit)  # type: ignore[no-any-return, unused-ignore]
        except self.error as error:
            raise BadEncoding from error


class ZstandardDecoder:
    """zstd (RFC 8878), by the package zstandard."""

    def __init__(self) -> None:
        import zstandard

        self.error = zstandard.ZstdError
        self.stream = zstandard.ZstdDecompressor(max_window_size=1 << ZSTD_WINDOW_LOG).decompressobj()
        self.rest = memoryview(b"")
        self.ready = b""

    @property
    def finished(self) -> bool:
        """Whether the stream has come to its end."""
        return bool(self.stream.eof) and not self.rest

    def feed(self, data: bytes) -> None:
        """Take more of the stream."""
        self.rest = memoryview(bytes(self.rest) + data)

    def read(self, limit: int) -> bytes:
        """Return `limit` bytes at most."""
        ready = [self.ready]
        size = len(self.ready)
        try:
            while self.rest and size < limit and not self.stream.eof:
                piece = self.stream.decompress(self.rest[:ZSTANDARD_STEP])
                self.rest = self.rest[ZSTANDARD_STEP:]
                ready.append(piece)
                size += len(piece)
        except self.error as error:
            raise BadEncoding from error
        if self.stream.eof and (self.rest or self.stream.unused_data):
            raise BadEncoding
        joined = b"".join(ready)
        self.ready = joined[limit:]
        return joined[:limit]


def decoder_factories() -> dict[str, Callable[[], Decoder]]:
    """Return what makes decoders, for each coding that can be read here."""
    factories: dict[str, Callable[[], Decoder]] = {
        "gzip": lambda: ZlibDecoder("gzip"),
        "deflate": lambda: ZlibDecoder("deflate"),
    }
    if find_spec("brotli") is not None and _brotli_is_bounded():
        factories["br"] = BrotliDecoder
    if find_spec("compression") is not None and find_spec("compression.zstd") is not None:
        factories["zstd"] = ZstdDecoder
    elif find_spec("zstandard") is not None:
        factories["zstd"] = ZstandardDecoder
    return factories


def missing_text(coding: str) -> str:
    """Return what to do about a coding that cannot be read here."""
    package = {"br": "the package brotli from 1.2 on", "zstd": "Python 3.14 or the package zstandard"}.get(coding)
    if package is None:
        return f"requests are read in gzip, deflate, br and zstd, got {coding!r}"
    return f"the coding {coding!r} needs {package}: {INSTALL}"


def _brotli_is_bounded() -> bool:
    """Tell whether the package can stop at a limit, which it can since 1.2."""
    import brotli  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return hasattr(brotli.Decompressor, "can_accept_more_data")
