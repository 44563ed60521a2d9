"""A file as a response."""

import os
from collections.abc import Mapping
from urllib.parse import quote

from portico.asgi import Receive, Scope, Send
from portico.files.facts import Facts, NotRegularError, cache
from portico.files.mediatypes import guess_media_type
from portico.files.sending import CHUNK, send_file
from portico.http.ranges import MAX_RANGES
from portico.web.background import BackgroundTask
from portico.web.responses.content import Response, denial_send

ACCEPT_RANGES = (b"accept-ranges", b"bytes")


class FileResponse(Response):
    """A file, with validators, conditional requests, ranges; sent by the kernel where the server offers that.

    Args:
        path: Where the file is.
        status_code: The status; conditions and ranges count for 200 only.
        headers: The fields; a length, validators or a disposition among them are taken as they are.
        media_type: The media type, else what the name's extension stands for.
        background: What runs after the response has been sent.
        filename: The name that the client is told to save it under.
        stat_result: What `os.stat` has said of it, if that is known.
        content_disposition_type: `attachment` or `inline`; of use only with a filename.
    """

    chunk_size = CHUNK
    max_ranges = MAX_RANGES

    def __init__(
        self,
        path: str | os.PathLike[str],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
        filename: str | None = None,
        stat_result: os.stat_result | None = None,
        content_disposition_type: str = "attachment",
    ) -> None:
        self.path = path
        self.status_code = status_code
        self.filename = filename
        self.media_type = guess_media_type(filename or os.fspath(path)) if media_type is None else media_type
        self.background = background
        self.init_headers(headers)
        raw = self.raw_headers
        if not headers or not any(name == b"accept-ranges" for name, _ in raw):
            raw.append(ACCEPT_RANGES)
        if filename is not None and not any(name == b"content-disposition" for name, _ in raw):
            raw.append((b"content-disposition", disposition(content_disposition_type, filename)))
        self.stat_result = stat_result
        if stat_result is not None:
            self.set_stat_headers(stat_result)

    def set_stat_headers(self, stat_result: os.stat_result) -> None:
        """Add the length and the validators that follow from a `stat`, where they are missing."""
        facts = cache.known(os.fspath(self.path), stat_result)
        given = [name for name, _ in self.raw_headers]
        for pair in (facts.length, *facts.validators):
            if pair[0] not in given:
                self.raw_headers.append(pair)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            send = denial_send(send)
        result = self.stat_result
        await send_file(
            scope,
            receive,
            send,
            await self._look() if result is None else cache.known(os.fspath(self.path), result),
            self.raw_headers,
            status=self.status_code,
            chunk_size=self.chunk_size,
            max_ranges=self.max_ranges,
            pinned=result is not None,
        )
        if self.background is not None:
            await self.background()

    async def _look(self) -> Facts:
        try:
            return await cache.find(os.fspath(self.path))
        except FileNotFoundError:
            raise RuntimeError(f"File at path {self.path} does not exist.") from None
        except NotRegularError:
            raise RuntimeError(f"File at path {self.path} is not a file.") from None


def disposition(kind: str, filename: str) -> bytes:
    """Return a Content-Disposition field (RFC 6266): a name that needs it is percent-encoded UTF-8 (RFC 8187)."""
    quoted = quote(filename)
    if quoted == filename:
        return f'{kind}; filename="{filename}"'.encode("latin-1")
    return f"{kind}; filename*=utf-8''{quoted}".encode("latin-1")
