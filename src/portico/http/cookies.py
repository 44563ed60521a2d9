"""`Set-Cookie` as a server writes it (RFC 6265bis §4.1), quoted as the standard library's `http.cookies` quotes."""

NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~:")
# What stands as it is inside quotes; the rest becomes a backslash and three octal digits.
QUOTED_CHARS = NAME_CHARS | frozenset(" ()/<=>?@[]{}")
SAME_SITE = ("strict", "lax", "none")


def set_cookie(
    name: str,
    value: str = "",
    *,
    max_age: int | None = None,
    expires: str | None = None,
    path: str | None = None,
    domain: str | None = None,
    secure: bool = False,
    httponly: bool = False,
    samesite: str | None = None,
    partitioned: bool = False,
) -> str:
    """Return the value of a `Set-Cookie` field, its attributes in alphabetical order.

    Raises:
        ValueError: If the name is no token, if the value or an attribute has a character that could end it, or if
            SameSite is none of the three that exist.
    """
    if not name or not NAME_CHARS.issuperset(name):
        raise ValueError(f"a cookie's name has the characters of a token only, got {name!r}")
    parts = [f"{name}={quote_value(value)}"]
    if domain:
        parts.append(f"Domain={_attribute('domain', domain)}")
    if expires:
        parts.append(f"expires={_attribute('expires', expires)}")
    if httponly:
        parts.append("HttpOnly")
    if max_age is not None:
        parts.append(f"Max-Age={int(max_age)}")
    if partitioned:
        parts.append("Partitioned")
    if path:
        parts.append(f"Path={_attribute('path', path)}")
    if samesite is not None:
        if samesite.lower() not in SAME_SITE:
            raise ValueError(f"samesite must be 'strict', 'lax', 'none' or None, got {samesite!r}")
        parts.append(f"SameSite={samesite}")
    if secure:
        parts.append("Secure")
    return "; ".join(parts)


def quote_value(value: str) -> str:
    """Return a cookie's value, in quotes and with octal escapes where it has characters that a value may not have.

    So a semicolon or a comma never ends the cookie: they are written as escapes.

    Raises:
        ValueError: If it has control characters, or characters beyond Latin-1, which a field cannot carry.
    """
    if value and NAME_CHARS.issuperset(value):
        return value
    text = ['"']
    for char in value:
        if char in QUOTED_CHARS:
            text.append(char)
        elif char in '"\\':
            text.append("\\" + char)
        elif " " <= char <= "\xff" and char != "\x7f":
            text.append(f"\\{ord(char):03o}")
        else:
            raise ValueError(
                f"a cookie's value has neither control characters nor any beyond Latin-1, got {char!r} in {value!r}:"
                " encode it first, as base64 or with percent signs"
            )
    text.append('"')
    return "".join(text)


def _attribute(name: str, text: str) -> str:
    for char in text:
        if char == ";" or char < " " or char == "\x7f" or char > "\xff":
            raise ValueError(f"a cookie's {name} may not have the character {char!r}, got {text!r}")
    return text
