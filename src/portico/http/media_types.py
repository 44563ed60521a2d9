"""Media types (RFC 9110 §8.3.1): a type, a subtype, parameters; and `Accept` fields that range over them (§12.5.1)."""

SPACE = " \t"


def parse_media_type(value: str) -> tuple[str, dict[str, str]]:
    """Return `type/subtype` in lower case and the parameters, their names in lower case.

    It takes one pass and never fails: what is no parameter is passed over, of a name that comes twice the first
    counts, and a quoted string that does not end goes to the end. Content-Disposition and the like are read as well.
    """
    cut = value.find(";")
    if cut < 0:
        return value.strip(SPACE).lower(), {}
    parameters: dict[str, str] = {}
    start, length = cut + 1, len(value)
    while start < length:
        end = value.find(";", start)
        if end < 0:
            end = length
        equals = value.find("=", start, end)
        if equals >= 0:
            name = value[start:equals].strip(SPACE).lower()
            first = equals + 1
            while first < end and value[first] in SPACE:
                first += 1
            if first < end and value[first] == '"':
                text, end = _quoted(value, first + 1)
            else:
                text = value[first:end].rstrip(SPACE)
            if name:
                parameters.setdefault(name, text)
        start = end + 1
    return value[:cut].strip(SPACE).lower(), parameters


def _quoted(value: str, start: int) -> tuple[str, int]:
    """Return the text of the quoted string that begins here, and where the semicolon after it is (or the end)."""
    text: list[str] = []
    position, length = start, len(value)
    while position < length:
        char = value[position]
        if char == '"':
            end = value.find(";", position)
            return "".join(text), length if end < 0 else end
        if char == "\\" and position + 1 < length:
            position += 1
            char = value[position]
        text.append(char)
        position += 1
    return "".join(text), length


def parse_accept(value: str) -> list[tuple[str, float]]:
    """Return the members of an `Accept`, `Accept-Encoding` or `Accept-Language` field with their weights, as listed.

    A weight that is no number counts as 1 (RFC 9110 §12.4.2 gives that to a member without one).
    """
    members: list[tuple[str, float]] = []
    for part in value.split(","):
        name, semicolon, rest = part.partition(";")
        name = name.strip(SPACE).lower()
        if name:
            members.append((name, _weight(rest) if semicolon else 1.0))
    return members


def _weight(parameters: str) -> float:
    for part in parameters.split(";"):
        name, _, text = part.partition("=")
        if name.strip(SPACE) in ("q", "Q"):
            text = text.strip(SPACE)
            # RFC 9110 §12.4.2: at most three digits after the point; a longer text is no weight and costs nothing here.
            if len(text) <= 5 and text.replace(".", "", 1).isdecimal() and text.isascii():
                return min(float(text), 1.0)
    return 1.0
