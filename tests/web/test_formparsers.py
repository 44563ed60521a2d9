"""Form parsers: what a body becomes, where it is kept meanwhile, and that nothing of it stays behind."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

import pytest

from portico.codec import charset
from portico.codec.charset import find_charset
from portico.web import formparsers
from portico.web.datastructures import FormData, Headers, UploadFile
from portico.web.exceptions import PorticoDeprecationWarning
from portico.web.formparsers import FormMessage, FormParser, MultiPartException, MultiPartParser

T = TypeVar("T")
MIB = 1024 * 1024
URLENCODED = Headers({"content-type": "application/x-www-form-urlencoded"})
MULTIPART = Headers({"content-type": "multipart/form-data; boundary=B"})


def run(awaitable: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(awaitable)


def field(name: str, value: bytes) -> bytes:
    return b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)


def file(name: str, content: bytes, filename: str = "x.txt") -> bytes:
    head = b'--B\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: text/plain\r\n\r\n'
    return head % (name.encode(), filename.encode()) + content + b"\r\n"


END = b"--B--\r\n"


async def pieces(body: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def breaking(body: bytes, error: BaseException) -> AsyncIterator[bytes]:
    yield body
    raise error


class Spool(SpooledTemporaryFile[bytes]):
    """Keeps account of what is made, and of the threads that touch the disk."""

    made: "list[Spool]"
    rolled_in: set[int]
    written_in: set[int]

    def __init__(self, max_size: int = 0) -> None:
        super().__init__(max_size=max_size)
        self.made.append(self)

    def rollover(self) -> None:
        self.rolled_in.add(threading.get_ident())
        super().rollover()

    def write(self, data: Any) -> int:
        if self._rolled:  # type: ignore[attr-defined]
            self.written_in.add(threading.get_ident())
        return super().write(data)


@pytest.fixture
def spools(monkeypatch: pytest.MonkeyPatch) -> type[Spool]:
    class Fresh(Spool):
        made = []
        rolled_in = set()
        written_in = set()

    monkeypatch.setattr(formparsers, "SpooledTemporaryFile", Fresh)
    return Fresh


def upload(form: FormData, name: str) -> UploadFile:
    found = form[name]
    assert isinstance(found, UploadFile)
    return found


# --- what a form is ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 64 * 1024])
def test_fields_and_files_keep_their_order(size: int) -> None:
    async def main() -> None:
        body = field("a", b"1") + file("f", b"text", "f.txt") + field("a", b"2") + END
        form = await MultiPartParser(MULTIPART, pieces(body, size)).parse()
        assert [name for name, _ in form.multi_items()] == ["a", "f", "a"]
        assert form.getlist("a") == ["1", "2"]
        found = upload(form, "f")
        assert (found.filename, found.size, found.content_type) == ("f.txt", 4, "text/plain")
        assert await found.read() == b"text"
        await form.close()

    run(main())


def test_a_form_without_a_byte_has_nothing() -> None:
    assert run(MultiPartParser(MULTIPART, pieces(b"")).parse()) == FormData()
    assert run(FormParser(URLENCODED, pieces(b"")).parse()) == FormData()


@pytest.mark.parametrize("size", [1, 64 * 1024])
def test_an_urlencoded_form_is_read(size: int) -> None:
    form = run(FormParser(URLENCODED, pieces(b"a=1&b=%C3%A9+;c=2&a=3", size)).parse())
    assert form.multi_items() == [("a", "1"), ("b", "é ;c=2"), ("a", "3")]


@pytest.mark.parametrize(
    ("label", "value", "text"),
    [
        ("utf-8", b"\xc3\xa9", "é"),
        ("utf-8", b"\xe9", "é"),
        ("windows-1251", b"\xe9", "й"),
        ("no-such-charset", b"\xe9", "é"),
        ("base64", b"\xe9", "é"),  # a codec of Python, but no charset
        ("x" * 1000, b"\xe9", "é"),
    ],
)
def test_fields_are_read_in_the_charset_of_the_form(label: str, value: bytes, text: str) -> None:
    headers = Headers({"content-type": f"multipart/form-data; charset={label}; boundary=B"})
    assert run(MultiPartParser(headers, pieces(field("a", value) + END)).parse())["a"] == text


@pytest.mark.parametrize("label", ["punycode", "idna", "utf-7", "UTF7", "unicode_escape", "raw-unicode-escape"])
def test_a_charset_that_costs_quadratic_time_or_hides_text_is_not_used(label: str) -> None:
    assert find_charset(label) == "latin-1"


def test_charsets_that_python_lacks_are_not_looked_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = []

    def lookup(label: str) -> None:
        looked_up.append(label)
        raise LookupError

    monkeypatch.setattr(charset, "_unknown_lookups", 0)
    monkeypatch.setattr("codecs.lookup", lookup)
    for number in range(1000):
        assert find_charset(f"made-up-{number}") == "latin-1"
    assert len(looked_up) == charset.MAX_UNKNOWN_LOOKUPS
    find_charset("koi8-r")
    assert looked_up[-1] == "koi8-r"


@pytest.mark.parametrize("repeated", [";", ';"', '; a="\\', "; ", ";a=", "; boundary=B", '"', "\\", ";=", '; a="b"'])
def test_a_hostile_content_type_takes_no_time_to_speak_of(repeated: str) -> None:
    value = "multipart/form-data; x" + repeated * (MIB // 4 // len(repeated))
    begun = time.process_time()
    with pytest.raises(MultiPartException):
        run(MultiPartParser(Headers({"content-type": value}), pieces(b"x")).parse())
    assert time.process_time() - begun < 5


# --- what is refused -----------------------------------------------------------------------------


def refusal(parser: MultiPartParser | FormParser) -> tuple[str, int]:
    with pytest.raises(MultiPartException) as caught:
        run(parser.parse())
    assert str(caught.value) == caught.value.message
    return caught.value.message, caught.value.status_code


def test_a_multipart_form_needs_a_boundary() -> None:
    headers = Headers({"content-type": "multipart/form-data"})
    assert refusal(MultiPartParser(headers, pieces(b""))) == ("Missing boundary in multipart.", 400)


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        field("a", b"1"),
        file("f", b"1"),
        b"--B\r\n\r\n1\r\n" + END,
        b"--B\r\nX: y\r\n" * 9 + END,
        b"--B\r\nX: " + b"y" * 5000,
        b'--B\r\nContent-Disposition: form-data; name="a"\n\n1\r\n' + END,
    ],
)
@pytest.mark.parametrize("size", [1, 64 * 1024])
def test_a_malformed_form_is_a_bad_request(body: bytes, size: int) -> None:
    assert refusal(MultiPartParser(MULTIPART, pieces(body, size)))[1] == 400


def test_files_fields_and_their_bytes_are_limited() -> None:
    twice = field("a", b"1") * 2 + END
    assert refusal(MultiPartParser(MULTIPART, pieces(twice), max_fields=1)) == (
        "Too many fields. Maximum number of fields is 1.",
        400,
    )
    files = file("f", b"1") * 2 + END
    assert refusal(MultiPartParser(MULTIPART, pieces(files), max_files=1)) == (
        "Too many files. Maximum number of files is 1.",
        400,
    )
    large = field("a", b"x" * 2049) + END
    assert refusal(MultiPartParser(MULTIPART, pieces(large), max_part_size=2048)) == (
        "Part exceeded maximum size of 2KB.",
        400,
    )
    assert refusal(FormParser(URLENCODED, pieces(b"a&b"), max_fields=1)) == (
        "Too many fields. Maximum number of fields is 1.",
        400,
    )
    assert refusal(FormParser(URLENCODED, pieces(b"a=" + b"x" * 2048), max_part_size=2048)) == (
        "Field exceeded maximum size of 2KB.",
        400,
    )


def test_the_fields_of_a_form_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MultiPartParser, "memory_max_size", 4096)
    monkeypatch.setattr(FormParser, "form_max_size", 4096)
    body = field("a", b"x" * 1000) * 5 + END
    parser = MultiPartParser(MULTIPART, pieces(body), max_part_size=1000)
    assert refusal(parser) == ("The fields of the form are too large together.", 413)
    encoded = FormParser(URLENCODED, pieces(b"&".join([b"a=" + b"x" * 1000] * 5)), max_part_size=1001)
    assert refusal(encoded) == ("Form exceeded maximum size of 4KB.", 413)


def test_a_refused_form_is_not_read_to_its_end() -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        yield b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
        while True:
            read += 1000
            yield b"x" * 1000

    assert refusal(MultiPartParser(MULTIPART, endless(), max_part_size=10_000))[1] == 400
    assert read <= 11_000


# --- where files are kept ------------------------------------------------------------------------


def test_a_small_file_is_in_memory(spools: type[Spool]) -> None:
    async def main() -> None:
        form = await MultiPartParser(MULTIPART, pieces(file("f", b"x" * MIB) + END)).parse()
        assert upload(form, "f")._in_memory
        assert await upload(form, "f").read() == b"x" * MIB
        await form.close()

    run(main())
    assert not spools.rolled_in


@pytest.mark.parametrize("size", [1000, 64 * 1024, 4 * MIB])
def test_a_large_file_is_on_disk_and_no_write_of_it_is_on_the_loops_thread(spools: type[Spool], size: int) -> None:
    content = bytes(range(256)) * (3 * MIB // 256)

    async def main() -> None:
        form = await MultiPartParser(MULTIPART, pieces(file("f", content) + END, size)).parse()
        found = upload(form, "f")
        assert not found._in_memory
        assert found.size == len(content)
        assert await found.read() == content
        await form.close()
        assert threading.get_ident() not in spools.rolled_in | spools.written_in

    run(main())
    assert spools.rolled_in
    assert spools.made[0].closed


def test_files_between_others_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1000)
    contents = [bytes([number]) * (number * 100) for number in range(1, 30)]

    async def main(size: int) -> None:
        body = b"".join(file(f"f{number}", content) for number, content in enumerate(contents)) + END
        form = await MultiPartParser(MULTIPART, pieces(body, size)).parse()
        for number, content in enumerate(contents):
            assert await upload(form, f"f{number}").read() == content
            assert upload(form, f"f{number}").size == len(content)
        await form.close()

    for size in (13, 512, 64 * 1024):
        run(main(size))


def test_many_files_do_not_fill_the_memory(spools: type[Spool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MultiPartParser, "memory_max_size", 512 * 1024)
    body = b"".join(file(f"f{number}", b"%03d" % number * 40_000) for number in range(20)) + file("last", b"1") + END

    async def main() -> None:
        form = await MultiPartParser(MULTIPART, pieces(body), max_part_size=1000).parse()
        in_memory = [value.size or 0 for value in form.values() if isinstance(value, UploadFile) and value._in_memory]
        assert sum(in_memory) <= 512 * 1024
        assert upload(form, "last")._in_memory  # small ones do, rather than take a descriptor
        for number in range(20):
            assert await upload(form, f"f{number}").read() == b"%03d" % number * 40_000
        await form.close()

    run(main())
    assert spools.rolled_in


def test_files_and_fields_do_not_count_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MultiPartParser, "memory_max_size", 100_000)

    async def main() -> None:
        large, medium, small = file("f", b"x" * 2 * MIB), file("f", b"x" * 90_000), file("f", b"x" * 60_000)
        body = large + medium * 3 + small * 3 + field("a", b"1" * 50_000) + large + field("a", b"2" * 50_000) + END
        form = await MultiPartParser(MULTIPART, pieces(body), max_part_size=50_000).parse()
        assert [len(value) for value in form.getlist("a") if isinstance(value, str)] == [50_000, 50_000]
        in_memory = [value._in_memory for value in form.getlist("f") if isinstance(value, UploadFile)]
        assert in_memory == [False, True, False, False, True, True, True, False]
        await form.close()

    run(main())


# --- nothing stays behind ------------------------------------------------------------------------

STARTED = file("f", b"x" * 100) + file("g", b"y" * 3 * MIB)


@pytest.mark.parametrize("error", [RuntimeError("broken"), OSError("gone"), asyncio.CancelledError()])
def test_files_are_closed_when_the_body_breaks_off(spools: type[Spool], error: BaseException) -> None:
    async def main() -> None:
        with pytest.raises(type(error)):
            await MultiPartParser(MULTIPART, breaking(STARTED, error)).parse()

    run(main())
    assert len(spools.made) == 2
    assert all(spool.closed for spool in spools.made)


def test_files_are_closed_when_the_form_is_refused(spools: type[Spool]) -> None:
    assert (
        refusal(MultiPartParser(MULTIPART, pieces(STARTED + field("a", b"x" * 11) + END), max_part_size=10))[1] == 400
    )
    assert refusal(MultiPartParser(MULTIPART, pieces(STARTED)))[1] == 400
    assert len(spools.made) == 4
    assert all(spool.closed for spool in spools.made)


def test_files_are_closed_when_the_task_is_cancelled(spools: type[Spool]) -> None:
    async def stalled(started: asyncio.Event) -> AsyncIterator[bytes]:
        yield STARTED
        started.set()
        await asyncio.Event().wait()

    async def main() -> None:
        started = asyncio.Event()
        task = asyncio.ensure_future(MultiPartParser(MULTIPART, stalled(started)).parse())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert all(spool.closed for spool in spools.made)


def test_files_are_closed_when_the_coroutine_is_thrown_away(spools: type[Spool]) -> None:
    class Stalled:
        def __aiter__(self) -> "Stalled":
            return self

        def __anext__(self) -> "Stalled":
            return self

        def __await__(self) -> Any:
            if spools.made:
                yield
            return file("f", b"1")

    coroutine = MultiPartParser(MULTIPART, Stalled()).parse()
    coroutine.send(None)
    coroutine.close()
    assert [spool.closed for spool in spools.made] == [True]


def test_files_are_closed_when_the_disk_is_full(spools: type[Spool], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Spool, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spools, "write", full)
    with pytest.raises(OSError, match="No space"):
        run(MultiPartParser(MULTIPART, pieces(STARTED + END)).parse())
    assert all(spool.closed for spool in spools.made)


# --- parts as they come --------------------------------------------------------------------------


def test_parts_are_handed_over_as_they_come(spools: type[Spool]) -> None:
    sent: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        for name, data in (
            ("field", field("a", b"1")),
            ("file", file("f", b"x" * 10)[:-3]),
            ("rest", b"xyz\r\n" + END),
        ):
            sent.append(name)
            yield data

    async def main() -> None:
        seen = []
        async for part in MultiPartParser(MULTIPART, body()).parts():
            if part.filename is None:
                assert await part.read() == b"1"
                assert sent[-1] != "rest"
                continue
            assert (part.name, part.filename, part.content_type) == ("f", "x.txt", "text/plain")
            assert part.headers["content-disposition"].startswith("form-data")
            async for data in part:
                seen.append((data, list(sent)))
        assert b"".join(data for data, _ in seen) == b"x" * 9 + b"xyz"
        assert "rest" not in seen[0][1]

    run(main())
    assert not spools.made


def test_what_is_not_read_of_a_part_is_passed_over() -> None:
    async def main() -> list[str]:
        names = []
        kept = []
        body = file("f", b"x" * MIB) + file("g", b"y" * MIB) + field("a", b"1") + END
        async for part in MultiPartParser(MULTIPART, pieces(body)).parts():
            names.append(part.name)
            kept.append(part)
            if part.name == "g":
                async for _ in part:
                    break
        assert [data async for data in kept[0]] == []
        assert await kept[2].read() == b""
        return names

    assert run(main()) == ["f", "g", "a"]


def test_a_part_is_not_read_beyond_what_is_asked_for() -> None:
    async def main() -> None:
        parts = MultiPartParser(MULTIPART, pieces(file("f", b"x" * 2000) + END, 100)).parts()
        part = await anext(parts)
        with pytest.raises(MultiPartException, match="Part exceeded maximum size of 1KB") as caught:
            await part.read(max_size=1024)
        assert caught.value.status_code == 413
        await parts.aclose()

    run(main())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (file("f", b"1"), "before its last boundary"),
        (file("f", b"1")[:-5], "before its last boundary"),
        (field("a", b"x" * 20) + END, "Part exceeded"),
        (field("a", b"1") * 2 + END, "Too many fields"),
        (file("f", b"1") * 2 + END, "Too many files"),
        (b"x", "Invalid"),
    ],
)
def test_streamed_parts_have_the_limits_of_a_form(body: bytes, message: str) -> None:
    async def main() -> None:
        parser = MultiPartParser(MULTIPART, pieces(body, 10), max_files=1, max_fields=1, max_part_size=15)
        async for part in parser.parts():
            await part.read()

    with pytest.raises(MultiPartException, match=message):
        run(main())


def test_form_message_is_deprecated() -> None:
    with pytest.warns(PorticoDeprecationWarning, match="`FormMessage` is deprecated"):
        assert FormMessage(5) is FormMessage.END
