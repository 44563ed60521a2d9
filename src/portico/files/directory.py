"""The files below a directory as the answers to requests.

What a path leads to is looked up once, in a thread, with the response's fields; from then on a request costs one
`stat`, which shows whether that is still so. `Directory.answer` sends a response or says which status the request
deserves, so that a framework can answer that in its own way; `DirectoryApp` answers it with a short text.
"""

import os
import re
import time
from collections.abc import Iterable
from stat import S_ISDIR
from typing import Literal
from urllib.parse import quote

from portico.asgi import Receive, Scope, Send
from portico.files.encodings import ENCODINGS, choose
from portico.files.facts import Facts, cache, look_at
from portico.files.mediatypes import TYPES, field_of, guess_media_type
from portico.files.paths import find_below, safe_path
from portico.files.sending import Fields, send_file, send_text
from portico.files.threads import in_thread
from portico.http.media_types import parse_accept
from portico.http.status import reason

Fallback = Literal["auto", "index.html", "404.html"]

ALLOW = (b"allow", b"GET, HEAD")
IMMUTABLE = (b"cache-control", b"public, max-age=31536000, immutable")
# app.3f2a9c1d.js: at least eight hexadecimal digits, letters among them, since a date is no hash.
HASHED = re.compile(r"[.-](?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{8,64}\.[A-Za-z0-9.]+\Z")
PAGES = ("text/html", "application/xhtml+xml")
MAX_ENTRIES = 4096
# How long a precompressed sibling that was added or removed may go unnoticed.
SIBLINGS_S = 5.0


class Entry:
    """What a path of the site leads to: a file and the fields that it is sent with."""

    __slots__ = ("fields", "found", "identity", "path", "siblings", "until")

    def __init__(self, found: Facts, fields: Fields) -> None:
        self.found: Facts | None = found  # until the cache has it, which may drop it
        self.path = found.path
        self.identity = found.identity
        self.fields = fields
        self.siblings: dict[str, Entry] | None = None
        self.until = 0.0


class Redirect(Exception):
    """The path is a directory's, without the slash that the links in its page need."""


class Directory:
    """The files below one or more directories.

    Args:
        roots: The directories; the first one that has a file gives it.
        html: Whether `index.html` stands for its directory, and `404.html` answers for what is not there.
        fallback: What answers for what is not there: `404.html` with status 404; `index.html` with 200, for an
            application that has its routes in the browser, where the client accepts a page; `auto` takes the one
            that exists.
        follow_symlinks: Whether symbolic links may lead out of the directory.
        dotfiles: Whether files and directories whose names begin with a dot are served; `.well-known` is.
        cache_control: The Cache-Control field.
        immutable: Whether names with a hash in them (`app.3f2a9c1d.js`) may be kept for ever; a regular expression,
            searched for in the name, for other kinds of hash.
        precompressed: Whether `app.js.br`, `app.js.zst` or `app.js.gz` is sent for `app.js` to clients that take it.
    """

    def __init__(
        self,
        roots: Iterable[str | os.PathLike[str]],
        *,
        html: bool = False,
        fallback: Fallback | None = None,
        follow_symlinks: bool = False,
        dotfiles: bool = False,
        cache_control: str | None = None,
        immutable: bool | str | re.Pattern[str] = False,
        precompressed: bool = False,
    ) -> None:
        if fallback not in ("auto", "index.html", "404.html", None):
            raise ValueError(f"fallback is 'auto', 'index.html', '404.html' or None, not {fallback!r}")
        self.roots = [os.fspath(root) for root in roots]
        self.html = html or fallback is not None
        self.fallback = fallback or ("404.html" if html else None)
        self.follow_symlinks = follow_symlinks
        self.dotfiles = dotfiles
        self.cache_control = None if cache_control is None else (b"cache-control", cache_control.encode("latin-1"))
        self.immutable = HASHED if immutable is True else re.compile(immutable) if immutable else None
        self.precompressed = precompressed
        self.entries: dict[str, Entry] = {}

    async def answer(self, scope: Scope, receive: Receive, send: Send, path: str) -> int:
        """Send what the path leads to; return 0, or 404 or 405, for which nothing has been sent."""
        method = scope["method"]
        if method != "GET" and method != "HEAD":
            return 405
        entry = self.entries.get(path)
        facts = None if entry is None else cache.fresh(entry.path)
        if entry is None or facts is None or facts.identity != entry.identity:
            try:
                entry = await self._find(path, scope["path"].endswith("/"))
            except Redirect:
                await self._redirect(scope, send)
                return 0
            if entry is None:
                return await self._answer_missing(scope, receive, send, path)
            facts = cache.fresh(entry.path)
        if entry.siblings is not None:
            entry = self._choose(path, entry, scope)
            facts = cache.fresh(entry.path)
        if facts is None:  # it has gone, or changed, since it was looked up
            return 404
        await send_file(scope, receive, send, facts, entry.fields)
        return 0

    async def _find(self, path: str, slash: bool) -> Entry | None:
        self.entries.pop(path, None)
        entry = await in_thread(self._look_up, path, slash)
        if entry is not None:
            for each in (entry, *(entry.siblings or {}).values()):
                if each.found is not None:
                    cache.keep(each.found)
                    each.found = None
            if "//" not in path and "/./" not in path:  # nobody needs other spellings of a path often
                if len(self.entries) >= MAX_ENTRIES:
                    del self.entries[next(iter(self.entries))]
                self.entries[path] = entry
        return entry

    def _look_up(self, path: str, slash: bool) -> Entry | None:
        relative = safe_path(path, dotfiles=self.dotfiles)
        found = None if relative is None else self._locate(relative)
        if relative is None or found is None:
            return None
        if not S_ISDIR(found[1].st_mode):
            return None if path.endswith("/") else self._entry(relative, *found)
        relative = os.path.join(relative, "index.html")
        found = self._locate(relative) if self.html else None
        if found is None or S_ISDIR(found[1].st_mode):
            return None
        if not slash:
            raise Redirect
        return self._entry(relative, *found)

    def _locate(self, relative: str) -> tuple[str, os.stat_result] | None:
        return find_below(self.roots, relative, follow_symlinks=self.follow_symlinks)

    def _entry(self, relative: str, path: str, result: os.stat_result) -> Entry:
        name = os.path.basename(relative)
        fields = [(b"content-type", field_of(guess_media_type(name))), (b"accept-ranges", b"bytes")]
        caching = self.caching_field(name)
        if caching is not None:
            fields.append(caching)
        if not self.precompressed:
            return Entry(look_at(path, result), fields)
        siblings: dict[str, Entry] = {}
        fields.append((b"vary", b"accept-encoding"))
        for encoding, extension in ENCODINGS.items():
            found = self._locate(relative + extension)
            if found is not None and not S_ISDIR(found[1].st_mode):
                sibling = Entry(look_at(*found), [*fields, (b"content-encoding", encoding.encode())])
                # RFC 9110 §8.8.3.3: each encoding is another representation, with a tag of its own.
                tag = b'"%x-%x-%b"' % (found[1].st_mtime_ns, found[1].st_size, encoding.encode())
                sibling.fields.append((b"etag", tag))
                siblings[encoding] = sibling
        entry = Entry(look_at(path, result), fields)
        entry.siblings = siblings
        entry.until = time.monotonic() + SIBLINGS_S
        return entry

    def caching_field(self, name: str) -> tuple[bytes, bytes] | None:
        """Return the Cache-Control field for a file of that name."""
        if self.immutable is not None and self.immutable.search(name):
            return IMMUTABLE
        return self.cache_control

    def _choose(self, path: str, entry: Entry, scope: Scope) -> Entry:
        """Return the sibling that the client likes best, or the file itself."""
        siblings = entry.siblings
        if siblings:
            accepted = b", ".join([value for name, value in scope["headers"] if name == b"accept-encoding"])
            encoding = choose(accepted, tuple(siblings)) if accepted else None
            if encoding is not None:
                sibling = siblings[encoding]
                facts = cache.fresh(sibling.path)
                if facts is not None and facts.identity == sibling.identity:
                    return sibling
                self.entries.pop(path, None)
        if time.monotonic() > entry.until:  # the next request looks anew
            self.entries.pop(path, None)
        return entry

    async def _answer_missing(self, scope: Scope, receive: Receive, send: Send, path: str) -> int:
        pages: list[tuple[str, int]] = []
        if self.fallback in ("auto", "404.html"):
            pages.append(("404.html", 404))
        if self.fallback in ("auto", "index.html") and wants_page(scope, path):
            pages.append(("index.html", 200))
        for name, status in pages:
            if await self._send_page(name, status, scope, receive, send):
                return 0
        return 404

    async def _send_page(self, name: str, status: int, scope: Scope, receive: Receive, send: Send) -> bool:
        entry = self.entries.get(name)
        facts = None if entry is None else cache.fresh(entry.path)
        if entry is None or facts is None or facts.identity != entry.identity:
            entry = await self._find(name, False)
            facts = None if entry is None else cache.fresh(entry.path)
        if entry is None or facts is None:
            return False
        await send_file(scope, receive, send, facts, entry.fields, status=status)
        return True

    async def _redirect(self, scope: Scope, send: Send) -> None:
        """Send the client to the same path with a slash, by a relative reference: no client can put a host into it."""
        name = scope["path"].rpartition("/")[2]
        query = scope.get("query_string", b"")
        location = f"./{quote(name)}/".encode() + (b"?" + query if query else b"")
        await send_text(send, 307, "", [(b"location", location)])


def wants_page(scope: Scope, path: str) -> bool:
    """Tell whether a browser asks for a page: it accepts one, and the path is no script's or picture's."""
    extension = os.path.splitext(path)[1].lower()
    if extension in TYPES and TYPES[extension] not in PAGES:
        return False
    accepted = b",".join([value for name, value in scope["headers"] if name == b"accept"])
    return any(kind in PAGES and weight > 0 for kind, weight in parse_accept(accepted.decode("latin-1")))


class DirectoryApp:
    """An ASGI application that serves the files of a directory; the parameters are those of Directory."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return
        if scope["type"] != "http":
            raise RuntimeError(f"a directory answers HTTP requests, not scopes of type {scope['type']!r}")
        path, root = scope["path"], scope.get("root_path", "")
        if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
            path = path[len(root) :]
        status = await self.directory.answer(scope, receive, send, path)
        if status:
            await send_text(send, status, reason(status), [ALLOW] if status == 405 else [])
