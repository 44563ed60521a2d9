"""Kinds of settings: each reads the text of an option or a variable, and checks what a file or a program gives.

`read` turns text into a value; `check` returns the value in its final form. Both raise ValueError with what was
expected and what came, and know nothing of the setting that is being read.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

YEAR_S = 365 * 24 * 60 * 60
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HSTS = re.compile(
    r"max-age=(?P<age>[0-9]{1,10})(?P<all>; *includeSubDomains)?(?P<preload>; *preload)?", re.ASCII | re.I
)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s,]+")
# RFC 9110 §5.5, without the edges: bytes above 7F are opaque.
_NOT_FIELD_CONTENT = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


class Kind:
    """What the kinds share; `metavar` stands for the value in the help, `many` lets the option be repeated."""

    metavar = "TEXT"
    many = False
    choices: tuple[str, ...] = ()

    def read(self, text: str) -> object:
        """Return what the text means; `check` follows."""
        return text

    def check(self, value: Any) -> object:
        """Return the value in its final form."""
        return value


class Text(Kind):
    """A line of text, which `test` may look at more closely: it raises ValueError or returns the text to keep."""

    def __init__(self, metavar: str = "TEXT", test: Callable[[str], str] | None = None) -> None:
        self.metavar = metavar
        self.test = test

    def check(self, value: Any) -> object:
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        if not isinstance(text, str) or _CONTROL.search(text):
            raise ValueError(f"expected a line of text, got {value!r}")
        return text if self.test is None else self.test(text)


class Secret(Text):
    """A line of text that is not shown to anybody."""

    def check(self, value: Any) -> object:
        try:
            return super().check(value)
        except ValueError:
            raise ValueError("expected a line of text") from None


class Switch(Kind):
    """On or off: a flag of its own for each, or an option that takes true or false where it is `valued`."""

    metavar = "BOOLEAN"

    def __init__(self, *, valued: bool = False) -> None:
        self.valued = valued

    def read(self, text: str) -> object:
        if text.lower() not in TRUE + FALSE:
            raise ValueError(f"expected true or false, got {text!r}")
        return text.lower() in TRUE

    def check(self, value: Any) -> object:
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false, got {value!r}")
        return value


class Whole(Kind):
    """A whole number within bounds."""

    metavar = "N"

    def __init__(self, low: int, high: int = 2**62) -> None:
        self.low = low
        self.high = high

    def read(self, text: str) -> object:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip(), re.ASCII):
            raise ValueError(f"expected a whole number, got {text!r}")
        return int(text)

    def check(self, value: Any) -> object:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"expected a whole number, got {value!r}")
        if value < self.low:
            raise ValueError(f"expected at least {self.low}, got {value}")
        if value > self.high:
            raise ValueError(f"expected at most {self.high}, got {value}")
        return value


class Workers(Whole):
    """How many processes: a number, or `auto` for as many as there are processors to run them."""

    metavar = "N|auto"

    def __init__(self) -> None:
        super().__init__(1, 1000)

    def check(self, value: Any) -> object:
        if isinstance(value, str):
            value = available_processors() if value.strip().lower() == "auto" else super().read(value)
        return super().check(value)

    def read(self, text: str) -> object:
        return text


class Bytes(Whole):
    """A number of bytes, as such or with a unit: 512M, 1.5G (powers of 1024)."""

    metavar = "SIZE"

    def read(self, text: str) -> object:
        match = re.fullmatch(
            r"([0-9]{1,12}(?:\.[0-9]{1,6})?) *([KMGT]?)(?:i?B)?", text.strip(), re.ASCII | re.IGNORECASE
        )
        if match is None:
            raise ValueError(f"expected a size such as 512M, got {text!r}")
        return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))

    def check(self, value: Any) -> object:
        return super().check(self.read(value) if isinstance(value, str) else value)


class Seconds(Kind):
    """A time in seconds, with fractions."""

    metavar = "SECONDS"

    def __init__(self, low: float) -> None:
        self.low = low

    def read(self, text: str) -> object:
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"expected a number of seconds, got {text!r}") from None

    def check(self, value: Any) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
            raise ValueError(f"expected a number of seconds, got {value!r}")
        if value < self.low:
            raise ValueError(f"expected at least {self.low:g} s, got {value:g}")
        return float(value)


class Mode(Kind):
    """The permissions of a file: text is octal, a number is taken as it is."""

    metavar = "MODE"

    def check(self, value: Any) -> object:
        if isinstance(value, str) and re.fullmatch(r"(?:0o)?[0-7]{1,4}", value, re.ASCII):
            value = int(value.removeprefix("0o"), 8)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 0o777:
            raise ValueError(f"expected octal permissions such as 660 (in code 0o660), got {value!r}")
        return value


class Choice(Kind):
    """One of some words, in any case; or `module:attribute`, or its number from 0, where these are allowed as well."""

    def __init__(self, *choices: str, path: bool = False, numbered: bool = False) -> None:
        self.choices = choices
        self.path = path
        self.numbers = {str(number): choice for number, choice in enumerate(choices)} if numbered else {}
        self.metavar = "|".join(choices) + ("|MODULE:ATTRIBUTE" if path else "")

    def check(self, value: Any) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = f"{value:g}"  # as it is written in a file, and of ssl's constants the number
        if isinstance(value, str):
            word = self.numbers.get(value, value.lower())
            if word in self.choices:
                return word
            if self.path and is_path(value):
                return value
        raise ValueError(
            f"expected one of {', '.join(self.choices)}{' or module:attribute' * self.path}, got {value!r}"
        )


class Binds(Kind):
    """Addresses; in one text they are separated by commas or blanks."""

    metavar = "ADDRESS"
    many = True

    def read(self, text: str) -> object:
        return text.replace(",", " ").split()

    def check(self, value: Any) -> object:
        texts = _list("addresses", value)
        if texts:
            from portico.server.listeners import parse_bind

            for text in texts:
                parse_bind(text if isinstance(text, str) else str(text))
        return tuple(map(str, texts))


class Address(Kind):
    """One address, in the forms of `Binds`."""

    metavar = "ADDRESS"

    def check(self, value: Any) -> object:
        from portico.server.listeners import parse_bind

        text = str(value)
        parse_bind(text)
        return text


class Names(Kind):
    """Lines of text, each of which `test` may look at; in one text they are separated by commas."""

    many = True

    def __init__(self, metavar: str, test: Callable[[str], str] | None = None) -> None:
        self.metavar = metavar
        self.line = Text(metavar, test)

    def read(self, text: str) -> object:
        return [part.strip() for part in text.split(",") if part.strip()]

    def check(self, value: Any) -> object:
        return tuple(str(self.line.check(each)) for each in _list("names", value))


class Pairs(Kind):
    """Certificates with their keys, `CERTFILE,KEYFILE`, or without; in one text they are separated by blanks."""

    metavar = "CERTFILE[,KEYFILE]"
    many = True

    def read(self, text: str) -> object:
        return text.split()

    def check(self, value: Any) -> object:
        return tuple(map(_pair, _list("certificates", value)))


class Account(Kind):
    """A user or a group that this machine has, by name or number."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.metavar = what.upper()

    def check(self, value: Any) -> object:
        text = str(value)
        try:
            import grp
            import pwd
        except ImportError:
            raise ValueError("not supported on this platform: leave it out") from None
        try:
            if text.isascii() and text.isdigit():
                return text
            pwd.getpwnam(text) if self.what == "user" else grp.getgrnam(text)
        except (KeyError, ValueError):
            raise ValueError(f"there is no {self.what} {text!r}") from None
        return text


class Fields(Kind):
    """Header fields: `Name:Value` texts, pairs or a table; in one text a field a line."""

    metavar = "NAME:VALUE"
    many = True

    def read(self, text: str) -> object:
        return [line for line in text.split("\n") if line.strip()]

    def check(self, value: Any) -> object:
        return tuple(map(_field, value.items() if isinstance(value, Mapping) else _list("fields", value)))


class Hsts(Kind):
    """The value of Strict-Transport-Security (RFC 6797 §6.1), or only its `max-age`: seconds."""

    metavar = "SECONDS|VALUE"

    def check(self, value: Any) -> object:
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        match = _HSTS.fullmatch(f"max-age={text}" if text.isdigit() else text.strip())
        if match is None:
            raise ValueError(
                f"expected seconds, or such as 'max-age=31536000; includeSubDomains; preload', got {value!r}"
            )
        if match["preload"] and (not match["all"] or int(match["age"]) < YEAR_S):
            raise ValueError(f"preload needs includeSubDomains and at least {YEAR_S} seconds (a year), got {value!r}")
        return match[0]


class Origins(Kind):
    """Origins as browsers write them (RFC 6454 §6.1); in one text they are separated by commas or blanks."""

    metavar = "ORIGIN"
    many = True

    def read(self, text: str) -> object:
        return text.replace(",", " ").split()

    def check(self, value: Any) -> object:
        origins = tuple(str(origin).lower() for origin in _list("origins", value))
        for origin in origins:
            if origin != "null" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"expected an origin such as https://example.com or http://a:8000, got {origin!r}")
        return origins


class Networks(Kind):
    """Who is trusted: addresses and networks, separated by commas, or a list of them."""

    metavar = "LIST"

    def check(self, value: Any) -> object:
        from portico.server.proxies import ProxyTrust

        text = value if isinstance(value, str) else ",".join(map(str, _list("addresses", value)))
        ProxyTrust(text)
        return text


class LogConfig(Kind):
    """A file of logging's configuration, or the dictionary itself."""

    metavar = "FILE"

    def check(self, value: Any) -> object:
        return dict(value) if isinstance(value, Mapping) else Text(test=existing_file).check(value)


class Application(Kind):
    """An application or where to import it from."""

    metavar = "APP"

    def check(self, value: Any) -> object:
        if value is None or value == "":
            raise ValueError(
                "there is nothing to serve: name an application as module:attribute, such as main:app; "
                "`portico dev` looks for one"
            )
        if not isinstance(value, str) and not callable(value):
            raise ValueError(f"expected an ASGI application or module:attribute, got {value!r}")
        return value


class Factory(Kind):
    """A function, or where to import it from."""

    metavar = "MODULE:ATTRIBUTE"

    def check(self, value: Any) -> object:
        if not (is_path(value) if isinstance(value, str) else callable(value)):
            raise ValueError(f"expected a function or module:attribute, got {value!r}")
        return value


def is_path(text: str) -> bool:
    """Tell whether it is `module:attribute`."""
    module, _, attribute = text.partition(":")
    return attribute.isidentifier() and all(map(str.isidentifier, module.split(".")))


def existing_file(path: str) -> str:
    """Return the path of a file that is there."""
    if not os.path.isfile(path):
        raise ValueError(f"there is no file {path!r}")
    return path


def lasting_file(path: str) -> str:
    """Return the path of a file that is there, also for when the current directory is another one."""
    return os.path.abspath(existing_file(path))


def existing_directory(path: str) -> str:
    """Return the path of a directory that is there; nothing stands for the current one."""
    if path and not os.path.isdir(path):
        raise ValueError(f"there is no directory {path!r}")
    return path


def writable_file(path: str) -> str:
    """Return the path of a file that can be appended to, or `-`."""
    directory = os.path.dirname(path) or "."
    if path != "-" and (os.path.isdir(path) or not os.path.isdir(directory)):
        raise ValueError(f"{path!r} is no file that can be written")
    if path != "-" and not os.access(path if os.path.exists(path) else directory, os.W_OK):
        raise ValueError(f"{path!r} may not be written")
    return path


def mount_path(path: str) -> str:
    """Return the path without the slash at its end."""
    if path and not path.startswith("/"):
        raise ValueError(f"expected a path that starts with /, got {path!r}")
    return path.rstrip("/")


def url_path(path: str) -> str:
    """Return a path of requests."""
    if not path.startswith("/") or "?" in path or "#" in path:
        raise ValueError(f"expected a path that starts with / and has no ? or #, got {path!r}")
    return path


def available_processors() -> int:
    """Return how many processors the process may use: by its affinity, and by its control group's quota (Linux)."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        if quota != "max":
            count = min(count, -(-int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return max(1, count)


def access_format(text: str) -> str:
    """Return a format that the access log understands."""
    from portico.server.access import validate_format

    problems = validate_format(text)
    if problems:
        raise ValueError("; ".join(problems))
    return text


def _list(what: str, value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list of {what}, got {value!r}")
    return value


def _pair(item: Any) -> str:
    files = item.split(",") if isinstance(item, str) else item
    if not isinstance(files, list | tuple) or len(files) not in (1, 2):
        raise ValueError(f"expected CERTFILE or CERTFILE,KEYFILE, got {item!r}")
    line = Text(test=lasting_file)
    return ",".join(str(line.check(file.strip() if isinstance(file, str) else file)) for file in files)


def _field(item: Any) -> tuple[str, str]:
    pair = item.split(":", 1) if isinstance(item, str) else item
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise ValueError(f"expected Name:Value, got {item!r}")
    name, value = (part.decode("latin-1") if isinstance(part, bytes) else str(part) for part in pair)
    name, value = name.strip(" \t"), value.strip(" \t")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header field")
    if _NOT_FIELD_CONTENT.search(value):
        raise ValueError(f"the value of {name} has characters that no header field may have: {value!r}")
    return name, value
