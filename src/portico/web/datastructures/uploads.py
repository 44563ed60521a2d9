"""What a form has: uploaded files, and fields beside them."""

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from portico.web.concurrency import run_in_threadpool
from portico.web.datastructures.headers import Headers
from portico.web.datastructures.multidict import ImmutableMultiDict

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

FALLBACK_NAME = "upload"
MAX_NAME_BYTES = 255  # what the usual file systems allow
RESERVED_CHARACTERS = frozenset('<>:"|?*')
DEVICES = frozenset(
    (
        "con",
        "prn",
        "aux",
        "nul",
        "conin$",
        "conout$",
        *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"),
    )
)


class UploadFile:
    """A file of a form. What is on disk is read and written in a thread, what is in memory at once.

    Args:
        file: Its content, at the beginning.
        size: Its bytes, if they are counted.
        filename: Its name, as the client says it; see `safe_filename`.
        headers: The header of its part of the form.
    """

    def __init__(
        self, file: BinaryIO, *, size: int | None = None, filename: str | None = None, headers: Headers | None = None
    ) -> None:
        self.file = file
        self.size = size
        self.filename = filename
        self.headers = Headers() if headers is None else headers

    @property
    def content_type(self) -> str | None:
        """The media type that the client gives it. Nobody has checked it."""
        return self.headers.get("content-type")

    @property
    def safe_filename(self) -> str:
        """A name that may be given to a file on any system: the client's, without what could lead elsewhere.

        It is not unique, and it may be the name of a file that exists.
        """
        return safe_filename(self.filename)

    @property
    def _in_memory(self) -> bool:
        return not getattr(self.file, "_rolled", not isinstance(self.file, io.BytesIO))

    def _will_roll(self, size_to_add: int) -> bool:
        if not self._in_memory:
            return True
        max_size: int = getattr(self.file, "_max_size", 0)  # 0: no limit
        return 0 < max_size < self.file.tell() + size_to_add

    async def write(self, data: bytes) -> None:
        """Write at the position."""
        if self.size is not None:
            self.size += len(data)
        if self._will_roll(len(data)):
            await run_in_threadpool(self.file.write, data)
        else:
            self.file.write(data)

    async def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes from the position on; all that there are by default."""
        if self._in_memory:
            return self.file.read(size)
        return await run_in_threadpool(self.file.read, size)

    async def seek(self, offset: int) -> None:
        """Set the position, in bytes from the beginning."""
        if self._in_memory:
            self.file.seek(offset)
        else:
            await run_in_threadpool(self.file.seek, offset)

    async def close(self) -> None:
        """Close the file, which removes it."""
        if self._in_memory:
            self.file.close()
        else:
            await run_in_threadpool(self.file.close)

    @classmethod
    def _validate(cls, value: Any, _info: Any) -> "UploadFile":
        if not isinstance(value, UploadFile):
            raise ValueError(f"Expected UploadFile, received: {type(value)}")
        return value

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core.core_schema import with_info_plain_validator_function

        return with_info_plain_validator_function(cls._validate)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        return {"type": "string", "contentMediaType": "application/octet-stream"}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(filename={self.filename!r}, size={self.size!r}, headers={self.headers!r})"


class FormData(ImmutableMultiDict[str, UploadFile | str]):
    """The fields and files of a form, in their order."""

    def __init__(
        self,
        *args: "FormData | Mapping[str, str | UploadFile] | Iterable[tuple[str, str | UploadFile]]",
        **kwargs: str | UploadFile,
    ) -> None:
        super().__init__(*args, **kwargs)

    async def close(self) -> None:
        """Close all files, which removes them."""
        await close_files([value.file for _, value in self._list if isinstance(value, UploadFile)])


async def close_files(files: Iterable[BinaryIO]) -> None:
    """Close files: those on disk in one hop to a thread, and here if there is no time for that."""
    on_disk = []
    for file in files:
        if getattr(file, "_rolled", True):
            on_disk.append(file)
        else:
            file.close()
    if on_disk:
        try:
            await run_in_threadpool(_close_all, on_disk)
        finally:
            _close_all(on_disk)  # of a file that is closed this is no call to the system


def _close_all(files: Iterable[BinaryIO]) -> None:
    for file in files:
        file.close()


def safe_filename(filename: str | None) -> str:
    """Return the last component of a client's filename, fit to be a name on any system; "upload" if none is left.

    Directories, control and format characters, and what Windows reserves are taken out; it does not begin with a dot.
    """
    if not filename:
        return FALLBACK_NAME
    name = filename.replace("\\", "/").rpartition("/")[2]
    kept = "".join("_" if char in RESERVED_CHARACTERS else char for char in name if char.isprintable())
    kept = kept.lstrip(". ").rstrip(". ")
    stem, dot, extension = kept.partition(".")
    if stem.rstrip().lower() in DEVICES:
        stem = f"_{stem}"
    return _shorten(stem + dot + extension) or FALLBACK_NAME


def _shorten(name: str) -> str:
    """Return the name in at most 255 bytes of UTF-8, with its extension if that is not the longer part."""
    raw = name.encode()
    if len(raw) <= MAX_NAME_BYTES:
        return name
    stem, dot, extension = raw.rpartition(b".")
    ending = dot + extension
    if not stem or len(ending) > MAX_NAME_BYTES // 2:
        stem, ending = raw, b""
    return stem[: MAX_NAME_BYTES - len(ending)].decode("utf-8", "ignore").rstrip(". ") + ending.decode()
