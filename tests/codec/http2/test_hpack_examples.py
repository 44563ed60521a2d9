"""RFC 7541, Appendix C: every example as it is printed there."""

import pytest
from tests.frames import integer

from portico.codec.http2.decoder import HeaderDecoder

Fields = list[tuple[bytes, bytes]]
Step = tuple[str, str, str, int]  # the block, the list that it decodes to, the table after it, the table's size

LITERALS: list[Step] = [
    # C.2: fields one by one, each on a connection of its own.
    (
        "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
        "custom-key: custom-header",
        "custom-key: custom-header",
        55,
    ),
    ("040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path", "", 0),
    ("1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret", "", 0),
    ("82", ":method: GET", "", 0),
]

FIRST = ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com"
SECOND = f"{FIRST}\ncache-control: no-cache"
THIRD = ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value"
FIRST_TABLE = ":authority: www.example.com"
SECOND_TABLE = f"cache-control: no-cache\n{FIRST_TABLE}"
THIRD_TABLE = f"custom-key: custom-value\n{SECOND_TABLE}"

REQUESTS: list[Step] = [  # C.3
    ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", FIRST, FIRST_TABLE, 57),
    ("8286 84be 5808 6e6f 2d63 6163 6865", SECOND, SECOND_TABLE, 110),
    ("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", THIRD, THIRD_TABLE, 164),
]
REQUESTS_IN_HUFFMAN: list[Step] = [  # C.4
    ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", FIRST, FIRST_TABLE, 57),
    ("8286 84be 5886 a8eb 1064 9cbf", SECOND, SECOND_TABLE, 110),
    ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", THIRD, THIRD_TABLE, 164),
]

DATE, LATER = "date: Mon, 21 Oct 2013 20:13:21 GMT", "date: Mon, 21 Oct 2013 20:13:22 GMT"
SITE = "location: https://www.example.com"
COOKIE = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
FOUND = f":status: 302\ncache-control: private\n{DATE}\n{SITE}"
SEEN = f":status: 307\ncache-control: private\n{DATE}\n{SITE}"
OK = f":status: 200\ncache-control: private\n{LATER}\n{SITE}\ncontent-encoding: gzip\n{COOKIE}"
FOUND_TABLE = f"{SITE}\n{DATE}\ncache-control: private\n:status: 302"
SEEN_TABLE = f":status: 307\n{SITE}\n{DATE}\ncache-control: private"
OK_TABLE = f"{COOKIE}\ncontent-encoding: gzip\n{LATER}"

RESPONSES: list[Step] = [  # C.5, with a table of 256 octets
    (
        (
            "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32"
            "3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d"
        ),
        FOUND,
        FOUND_TABLE,
        222,
    ),
    ("4803 3330 37c1 c0bf", SEEN, SEEN_TABLE, 222),
    (
        (
            "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970"
            "7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61"
            "6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31"
        ),
        OK,
        OK_TABLE,
        215,
    ),
]
RESPONSES_IN_HUFFMAN: list[Step] = [  # C.6, with the same table
    (
        (
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad"
            "1718 63c7 8f0b 97c8 e9ae 82ae 43d3"
        ),
        FOUND,
        FOUND_TABLE,
        222,
    ),
    ("4883 640e ffc1 c0bf", SEEN, SEEN_TABLE, 222),
    (
        (
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2"
            "e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07"
        ),
        OK,
        OK_TABLE,
        215,
    ),
]


def fields_of(text: str) -> Fields:
    """Return the fields that are written as `name: value` lines."""
    found = []
    for line in text.encode().splitlines():
        end = line.index(b":", 1)
        found.append((line[:end], line[end + 2 :]))
    return found


def check(decoder: HeaderDecoder, step: Step) -> None:
    """Decode one block, and look at the list and the table."""
    block, fields, table, size = step
    assert decoder.decode(bytes.fromhex(block), 1 << 16) == fields_of(fields)
    assert decoder.table.entries == fields_of(table)[::-1]
    assert decoder.table.size == size


@pytest.mark.parametrize(
    ("value", "prefix", "printed"),
    [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a")],
    ids=["C.1.1", "C.1.2", "C.1.3"],
)
def test_the_integers_of_appendix_c(value: int, prefix: int, printed: str) -> None:
    """C.1: what builds the integers of these suites writes the three of the RFC as it does."""
    assert integer(value, prefix).hex() == printed


def test_the_integer_of_c_1_2_is_read() -> None:
    """C.1.2: 1337 in a prefix of five bits, here as a table's size."""
    decoder = HeaderDecoder()
    assert decoder.decode(bytes.fromhex("3f9a0a"), 0) == []
    assert decoder.table.max_size == 1337


@pytest.mark.parametrize("step", LITERALS, ids=["C.2.1", "C.2.2", "C.2.3", "C.2.4"])
def test_the_fields_of_appendix_c(step: Step) -> None:
    """C.2: each kind of field by itself."""
    check(HeaderDecoder(), step)


@pytest.mark.parametrize(
    ("steps", "table_size"),
    [(REQUESTS, 4096), (REQUESTS_IN_HUFFMAN, 4096), (RESPONSES, 256), (RESPONSES_IN_HUFFMAN, 256)],
    ids=["C.3", "C.4", "C.5", "C.6"],
)
def test_the_messages_of_appendix_c(steps: list[Step], table_size: int) -> None:
    """C.3-C.6: three messages on one connection, the table filling and, where it is small, evicting."""
    decoder = HeaderDecoder(table_size)
    for step in steps:
        check(decoder, step)
