"""Uploaded files: on which thread they are read, and what their names may become."""

import asyncio
import io
import threading
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from portico.web.datastructures import FormData, Headers, UploadFile, uploads
from portico.web.datastructures.uploads import FALLBACK_NAME, safe_filename


def spooled(content: bytes, max_size: int) -> UploadFile:
    file = SpooledTemporaryFile[bytes](max_size=max_size)
    file.write(content)
    file.seek(0)
    return UploadFile(cast("BinaryIO", file), size=len(content), filename="x.txt")


@pytest.mark.parametrize("max_size", [1, 1024], ids=["on disk", "in memory"])
def test_an_upload_is_a_file(max_size: int) -> None:
    async def main() -> None:
        file = spooled(b"text", max_size)
        assert await file.read(2) == b"te"
        assert await file.read() == b"xt"
        await file.write(b" and more")
        assert file.size == 13
        await file.seek(0)
        assert await file.read() == b"text and more"
        await file.close()
        assert file.file.closed

    asyncio.run(main())


def test_a_write_that_goes_over_the_limit_is_not_on_the_loops_thread() -> None:
    threads = []

    class Watched(SpooledTemporaryFile[bytes]):
        def rollover(self) -> None:
            threads.append(threading.get_ident())
            super().rollover()

    async def main() -> None:
        with Watched(max_size=10) as file:
            upload = UploadFile(cast("BinaryIO", file), size=0)
            await upload.write(b"x" * 10)
            assert not threads
            await upload.write(b"x")
            assert upload.size == 11

    asyncio.run(main())
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_a_size_that_is_not_known_stays_so() -> None:
    async def main() -> None:
        upload = UploadFile(io.BytesIO())
        await upload.write(b"text")
        assert upload.size is None

    asyncio.run(main())


def test_an_upload_knows_its_media_type() -> None:
    headers = Headers({"content-type": "image/png"})
    assert UploadFile(io.BytesIO(), headers=headers).content_type == "image/png"
    assert UploadFile(io.BytesIO()).content_type is None


def test_an_upload_shows_what_it_is() -> None:
    upload = UploadFile(io.BytesIO(), filename="x", size=1)
    assert repr(upload) == "UploadFile(filename='x', size=1, headers=Headers({}))"


def test_closing_a_form_closes_all_its_files() -> None:
    closed_in = []

    class OnDisk(io.BytesIO):
        _rolled = True

        def close(self) -> None:
            if not self.closed:
                closed_in.append(threading.get_ident())
            super().close()

    async def main() -> None:
        files = [spooled(b"xx", 1), spooled(b"x", 10), UploadFile(OnDisk())]
        form = FormData([("a", "1"), *(("f", upload) for upload in files)])
        await form.close()
        assert all(upload.file.closed for upload in files)
        await form.close()

    asyncio.run(main())
    assert closed_in != [threading.get_ident()]


def test_files_are_closed_even_if_no_thread_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancelled(*_: Any) -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        upload = spooled(b"xx", 1)
        with pytest.raises(asyncio.CancelledError):
            await FormData([("f", upload)]).close()
        assert upload.file.closed

    monkeypatch.setattr(uploads, "run_in_threadpool", cancelled)
    asyncio.run(main())


NAMES = {
    "photo.jpg": "photo.jpg",
    "文書.txt": "文書.txt",
    "with space.txt": "with space.txt",
    "../../etc/passwd": "passwd",
    "/etc/passwd": "passwd",
    "..\\..\\boot.ini": "boot.ini",
    "C:\\dir\\file.txt": "file.txt",
    "\\\\server\\share\\file.txt": "file.txt",
    "..": FALLBACK_NAME,
    ".": FALLBACK_NAME,
    "a/": FALLBACK_NAME,
    "a/..": FALLBACK_NAME,
    "": FALLBACK_NAME,
    None: FALLBACK_NAME,
    ".htaccess": "htaccess",
    " .hidden ": "hidden",
    "name. . ": "name",
    "nul\0byte.txt": "nulbyte.txt",
    "line\r\nbreak.txt": "linebreak.txt",
    "esc\x1b[31m.txt": "esc[31m.txt",
    "exe\u202etxt.cod": "exetxt.cod",  # written right to left it would read "exedoc.txt"
    'a<b>c:d"e|f?g*h': "a_b_c_d_e_f_g_h",
    "file.txt:stream": "file.txt_stream",
    "CON": "_CON",
    "nul.txt": "_nul.txt",
    "Com1.tar.gz": "_Com1.tar.gz",
    "aux .txt": "_aux .txt",
    "lpt¹": "_lpt¹",
    "console.txt": "console.txt",
    "\ud800.txt": "txt",
}


@pytest.mark.parametrize("filename", NAMES)
def test_a_clients_filename_leads_nowhere(filename: str | None) -> None:
    assert safe_filename(filename) == NAMES[filename]
    assert UploadFile(io.BytesIO(), filename=filename).safe_filename == NAMES[filename]


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("x" * 300 + ".tar", "x" * 251 + ".tar"),
        ("é" * 200 + ".txt", "é" * 125 + ".txt"),
        ("x." + "y" * 300, "x." + "y" * 253),
        ("z" * 300, "z" * 255),
    ],
)
def test_a_long_filename_is_cut_before_its_extension(filename: str, expected: str) -> None:
    assert safe_filename(filename) == expected


@given(st.text(st.characters(), max_size=400) | st.text(st.sampled_from("./\\ ~con:\0é"), max_size=300))
def test_a_safe_filename_is_one_component_of_printable_characters(filename: str) -> None:
    name = safe_filename(filename)
    assert name
    assert not set(name) & set('/\\<>:"|?*\0')
    assert name.isprintable()
    assert name[0] not in ". "
    assert name[-1] not in ". "
    assert len(name.encode()) <= 255
    assert safe_filename(name) == name


def test_an_upload_takes_any_binary_file(tmp_path: Any) -> None:
    async def main() -> None:
        with (tmp_path / "x").open("w+b") as file:
            upload = UploadFile(file)
            await upload.write(b"text")
            await upload.seek(0)
            assert await upload.read() == b"text"
            await upload.close()

    asyncio.run(main())


def test_pydantic_takes_an_upload_as_it_is_and_nothing_else() -> None:
    adapter = TypeAdapter(UploadFile)
    file = UploadFile(io.BytesIO())
    assert adapter.validate_python(file) is file
    with pytest.raises(ValidationError, match="Expected UploadFile, received: <class 'str'>"):
        adapter.validate_python("text")


def test_an_upload_is_binary_content_in_a_json_schema() -> None:
    assert TypeAdapter(UploadFile).json_schema() == {
        "type": "string",
        "contentMediaType": "application/octet-stream",
    }
