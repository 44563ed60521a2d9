"""Forms: the fields and files of a request's body, with everything bounded.

Files are in memory up to 1 MiB and on disk beyond it; the disk is written in a thread, in batches. `parts()` hands
over the parts of a multipart body as they come instead, and keeps nothing.
"""

import warnings
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from enum import Enum, EnumMeta
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from portico.codec.charset import find_charset
from portico.codec.events import Fault
from portico.codec.multipart import END, PART_END, Event, MultipartReader, Part, decode
from portico.codec.multipart import Limits as MultipartLimits
from portico.codec.urlencoded import Limits as UrlencodedLimits
from portico.codec.urlencoded import UrlencodedReader
from portico.http.media_types import parse_media_type
from portico.web.concurrency import run_in_threadpool
from portico.web.datastructures import FormData, Headers, UploadFile
from portico.web.datastructures.uploads import close_files
from portico.web.exceptions import PorticoDeprecationWarning

MIB = 1024 * 1024
WRITE_BATCH = 256 * 1024  # bytes for the disk that are gathered for one hop to a thread
SMALL_FILE = 64 * 1024  # stays in memory even where the form has too much there: a file on disk is a descriptor, too


class MultiPartException(Exception):
    """The body is no form that is accepted.

    Args:
        message: What is wrong with it, for the client.
        status_code: What to answer: 400, or 413 where the form as a whole is too large.
    """

    def __init__(self, message: str, status_code: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code


class FormParser:
    """Reads a form that is `application/x-www-form-urlencoded`.

    Args:
        headers: The request's.
        stream: The body.
        max_fields: How many fields it may have.
        max_part_size: How many bytes a field may have, its name included.
    """

    form_max_size = 16 * MIB
    """How many bytes the form may have, where `max_part_size` is not larger."""

    def __init__(
        self,
        headers: Headers,
        stream: AsyncIterable[bytes],
        *,
        max_fields: int | float = 1000,
        max_part_size: int = MIB,
    ) -> None:
        self.headers = headers
        self.stream = stream
        self.max_fields = max_fields
        self.max_part_size = max_part_size
        form = max(self.form_max_size, max_part_size + 1)
        self._reader = UrlencodedReader(UrlencodedLimits(max_fields, max_part_size, form))
        self._items: list[tuple[str, str | UploadFile]] = []

    @property
    def _current_fields(self) -> int:
        return self._reader.count

    @property
    def _field_value(self) -> bytes:
        return bytes(self._reader.pending).partition(b"=")[2]

    async def parse(self) -> FormData:
        """Return the form.

        Raises:
            MultiPartException: If it is over a limit.
        """
        async for chunk in self.stream:
            self._take(self._reader.feed(chunk))
        self._take(self._reader.finish())
        return FormData(self._items)

    def _take(self, events: list[tuple[str, str] | Fault]) -> None:
        if events:
            last = events[-1]
            if isinstance(last, Fault):
                raise MultiPartException(last.reason, last.status)
            self._items += cast("list[tuple[str, str | UploadFile]]", events)


class MultiPartParser:
    """Reads a form that is `multipart/form-data` (RFC 7578).

    Args:
        headers: The request's; its Content-Type has the boundary.
        stream: The body.
        max_files: How many files it may have.
        max_fields: How many fields that are no files.
        max_part_size: How many bytes such a field may have. Files have no limit but that of the body.
    """

    spool_max_size = MIB
    """How many bytes of a file are kept in memory."""
    max_part_size = MIB
    """How many bytes a field may have."""
    memory_max_size = 16 * MIB
    """How many bytes of all files, but for small ones, are kept in memory; and how many of all fields may come, where
    `max_part_size` is not larger."""

    def __init__(
        self,
        headers: Headers,
        stream: AsyncIterable[bytes],
        *,
        max_files: int | float = 1000,
        max_fields: int | float = 1000,
        max_part_size: int = MIB,
    ) -> None:
        self.headers = headers
        self.stream = stream
        self.max_files = max_files
        self.max_fields = max_fields
        self.max_part_size = max_part_size
        self.items: list[tuple[str, str | UploadFile]] = []
        self._charset = ""
        self._files: list[BinaryIO] = []
        self._part: Part | None = None
        self._upload: UploadFile | None = None
        self._size = 0  # bytes of the upload
        self._on_disk = False  # now, or as soon as there is a thread
        self._files_in_memory = 0  # bytes
        self._fields_in_memory = 0
        self._text: bytes | bytearray = b""
        self._writes: list[tuple[BinaryIO, bytes]] = []  # for the thread; no bytes: the file is complete
        self._bytes_to_write = 0

    async def parse(self) -> FormData:
        """Return the form. Its files are open: close it.

        Raises:
            MultiPartException: If the body is no form, or one over a limit.
        """
        reader = self._open()
        try:
            async for chunk in self.stream:
                self._take(reader.feed(chunk))
                if self._bytes_to_write >= WRITE_BATCH:
                    await self._write()
            self._take([reader.finish()])
            if self._writes:
                await self._write()
        except GeneratorExit:  # nothing can be awaited any more
            for file in self._files:
                file.close()
            raise
        except BaseException:
            await close_files(self._files)
            raise
        return FormData(self.items)

    async def parts(self) -> "AsyncGenerator[StreamedPart, None]":
        """Yield the parts of the form as they come; what is not read of one is passed over when the next is asked for.

        Raises:
            MultiPartException: If the body is no form, or one over a limit.
        """
        events = _Events(self._open(), self.stream)
        while (event := await events.next()) is not END:
            assert type(event) is Part
            part = StreamedPart(event, events)
            yield part
            async for _ in part:
                pass

    def _open(self) -> MultipartReader:
        _, parameters = parse_media_type(self.headers.get("content-type", ""))
        boundary = parameters.get("boundary")
        if not boundary:
            raise MultiPartException("Missing boundary in multipart.")
        self._charset = find_charset(parameters.get("charset", "utf-8"))
        limits = MultipartLimits(self.max_files, self.max_fields, self.max_part_size)
        return MultipartReader(boundary, limits, self._charset)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if type(event) is bytes:
                if self._upload is not None:
                    self._take_file(self._upload, event)
                else:
                    self._take_text(event)
            elif type(event) is Part:
                self._part = event
                if event.filename is not None:
                    self._begin_file(event)
            elif event is PART_END:
                self._end_part()
            elif type(event) is Fault:
                raise MultiPartException(event.reason, event.status)

    def _take_text(self, data: bytes) -> None:
        self._fields_in_memory += len(data)
        if self._fields_in_memory > max(self.memory_max_size, self.max_part_size):
            raise MultiPartException("The fields of the form are too large together.", 413)
        if not self._text:
            self._text = data
            return
        if type(self._text) is bytes:
            self._text = bytearray(self._text)
        self._text += data

    def _begin_file(self, part: Part) -> None:
        file = cast("BinaryIO", SpooledTemporaryFile(max_size=self.spool_max_size))  # noqa: SIM115
        self._files.append(file)
        self._upload = UploadFile(file, size=0, filename=part.filename, headers=Headers(raw=part.headers))

    def _take_file(self, upload: UploadFile, data: bytes) -> None:
        size = self._size + len(data)
        if not self._on_disk:
            too_much = size > SMALL_FILE and self._files_in_memory + len(data) > self.memory_max_size
            if not too_much and size <= self.spool_max_size:
                self._size = size
                self._files_in_memory += len(data)
                upload.file.write(data)
                return
            self._on_disk = True
            self._files_in_memory -= self._size
        self._size = size
        self._writes.append((upload.file, data))
        self._bytes_to_write += len(data)

    def _end_part(self) -> None:
        assert self._part is not None
        upload = self._upload
        if upload is None:
            self.items.append((self._part.name, decode(self._text, self._charset)))
            self._text = b""
            return
        self.items.append((self._part.name, upload))
        upload.size = self._size
        if self._on_disk:
            self._writes.append((upload.file, b""))
        else:
            upload.file.seek(0)
        self._upload = None
        self._size = 0
        self._on_disk = False

    async def _write(self) -> None:
        writes, self._writes = self._writes, []
        self._bytes_to_write = 0
        await run_in_threadpool(_write_all, writes)


def _write_all(writes: list[tuple[BinaryIO, bytes]]) -> None:
    for file, data in writes:
        if not data:
            file.seek(0)
            continue
        if not getattr(file, "_rolled", True):
            cast("SpooledTemporaryFile[bytes]", file).rollover()
        file.write(data)


class StreamedPart:
    """A part of a form that is on its way: iterate it for its bytes, in the pieces in which they come, or `read` it.

    Attributes:
        name: The name of the form's field.
        filename: The name of the file, as the client says it; None where the part is no file.
        headers: The header of the part.
    """

    def __init__(self, part: Part, events: "_Events") -> None:
        self.name = part.name
        self.filename = part.filename
        self.headers = Headers(raw=part.headers)
        self._events = events
        self._complete = False

    @property
    def content_type(self) -> str | None:
        """The media type that the client gives it. Nobody has checked it."""
        return self.headers.get("content-type")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._complete:
            event = await self._events.next()
            if type(event) is bytes:
                yield event
            else:
                self._complete = True

    async def read(self, max_size: int = MIB) -> bytes:
        """Return the rest of the part.

        Raises:
            MultiPartException: If it has more bytes than `max_size`; the answer to it is a 413.
        """
        content = bytearray()
        async for data in self:
            content += data
            if len(content) > max_size:
                raise MultiPartException(f"Part exceeded maximum size of {int(max_size / 1024)}KB.", 413)
        return bytes(content)


class _Events:
    """The events of a body, one at a time."""

    def __init__(self, reader: MultipartReader, stream: AsyncIterable[bytes]) -> None:
        self._reader = reader
        self._chunks = aiter(stream)
        self._ready: deque[Event] = deque()

    async def next(self) -> Event:
        while not self._ready:
            try:
                chunk = await anext(self._chunks)
            except StopAsyncIteration:
                self._ready.append(self._reader.finish())
            else:
                self._ready.extend(self._reader.feed(chunk))
        event = self._ready.popleft()
        if type(event) is Fault:
            raise MultiPartException(event.reason, event.status)
        return event


class _DeprecatedEnum(EnumMeta):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        warnings.warn(
            f"`{cls.__name__}` is deprecated and will be removed in a future version.",
            PorticoDeprecationWarning,
            stacklevel=2,
        )
        return super().__call__(*args, **kwargs)


class FormMessage(Enum, metaclass=_DeprecatedEnum):
    """The steps of a form parser. Deprecated: nothing uses it."""

    FIELD_START = 1
    FIELD_NAME = 2
    FIELD_DATA = 3
    FIELD_END = 4
    END = 5
