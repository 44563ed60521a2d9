"""permessage-deflate (RFC 7692): what is agreed on, and messages compressed in either direction.

The other side is zlib itself, and the bytes of §7.2.3 as they are printed there.
"""

import random
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.codec.websocket.wire import Compressor, agreed

from portico.codec.websocket.deflate import TAIL, Agreement, Deflater, accept

Parameters = Sequence[tuple[str, str | None]]
FLAGS = ["server_no_context_takeover", "client_no_context_takeover"]
BITS = ["server_max_window_bits", "client_max_window_bits"]
HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"  # §7.2.3.1


def answer(parameters: Parameters) -> dict[str, str | None]:
    """Return the parameters of the answer to an offer that is accepted."""
    name, *members = agreed(*parameters).response.split("; ")
    assert name == "permessage-deflate"
    pairs = [(key, value if equals else None) for key, equals, value in (part.partition("=") for part in members)]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


# --- negotiation ---------------------------------------------------------------------------------


def test_an_offer_without_parameters_is_answered_without_any() -> None:
    """§7.1: an answer MUST NOT have parameters that the offer does not allow; the simplest is always right."""
    assert agreed().response == "permessage-deflate"


@pytest.mark.parametrize(
    ("parameters", "answered"),
    [
        ([(FLAGS[0], None)], "server_no_context_takeover"),
        ([(FLAGS[1], None)], "client_no_context_takeover"),
        ([(FLAGS[1], None), (FLAGS[0], None)], "server_no_context_takeover; client_no_context_takeover"),
        ([("server_max_window_bits", "9")], "server_max_window_bits=9"),
        ([("server_max_window_bits", "10")], "server_max_window_bits=10"),
        ([("client_max_window_bits", "8")], "client_max_window_bits=8"),
        ([("client_max_window_bits", "9")], "client_max_window_bits=9"),
    ],
)
def test_an_offer_is_answered(parameters: Parameters, answered: str) -> None:
    """§7.1.1, §7.1.2: an acceptance names what was agreed on."""
    assert agreed(*parameters).response == f"permessage-deflate; {answered}"


def test_a_server_that_is_asked_to_forget_says_that_it_does() -> None:
    """§7.1.1.1: a server accepts `server_no_context_takeover` by including it in its answer."""
    assert "server_no_context_takeover" in answer([(FLAGS[0], None)])


@pytest.mark.parametrize("bits", range(9, 16))
def test_the_window_of_the_server_is_no_larger_than_asked(bits: int) -> None:
    """§7.1.2.1: a server accepts with `server_max_window_bits` of the same or a smaller value."""
    found = answer([("server_max_window_bits", str(bits))])
    assert 9 <= int(found["server_max_window_bits"] or 0) <= bits


@pytest.mark.parametrize("bits", range(8, 16))
def test_the_window_of_the_client_is_no_larger_than_it_can_be(bits: int) -> None:
    """§7.1.2.2: a server may answer with `client_max_window_bits` of the same or a smaller value."""
    found = answer([("client_max_window_bits", str(bits))])
    assert 8 <= int(found.get("client_max_window_bits") or bits) <= bits


def test_a_client_may_say_no_more_than_that_its_window_can_be_limited() -> None:
    """§7.1.2.2: `client_max_window_bits` in an offer MAY have no value."""
    assert 8 <= int(answer([("client_max_window_bits", None)]).get("client_max_window_bits") or 15) <= 15


@pytest.mark.parametrize("parameters", [[], [(FLAGS[0], None)], [("server_max_window_bits", "12")]])
def test_the_window_of_a_client_that_does_not_offer_it_is_not_limited(parameters: Parameters) -> None:
    """§7.1.2.2: the server MUST NOT answer with `client_max_window_bits` that was not offered."""
    assert "client_max_window_bits" not in answer(parameters)
    assert agreed(*parameters).client_window_bits == 15


def test_a_server_window_of_8_bits_is_declined() -> None:
    """§7.1.2.1: a server that cannot satisfy the value MUST decline; zlib does not compress with so small a window."""
    assert accept([("server_max_window_bits", "8")]) is None


@pytest.mark.parametrize("name", [*FLAGS, *BITS])
def test_a_parameter_that_comes_twice_is_declined(name: str) -> None:
    """§7.1: a server MUST decline an offer with several parameters of the same name."""
    value = "10" if name in BITS else None
    assert accept([(name, value)]) is not None
    assert accept([(name, value), (name, value)]) is None


@pytest.mark.parametrize("values", [("10", None), (None, "10"), ("10", "11")])
def test_a_parameter_that_comes_twice_in_two_forms_is_declined(values: tuple[str | None, str | None]) -> None:
    """§7.1: a server MUST decline an offer with several parameters of the same name."""
    assert accept([("client_max_window_bits", value) for value in values]) is None


@pytest.mark.parametrize(
    "name",
    ["unknown", "max_window_bits", "no_context_takeover", "mux", "permessage-deflate", ""],
)
@pytest.mark.parametrize("value", [None, "10"])
def test_an_unknown_parameter_is_declined(name: str, value: str | None) -> None:
    """§7.1: a server MUST decline an offer with a parameter that is not defined for use in an offer."""
    assert accept([(name, value)]) is None


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", ["", "1", "0", "true", "10", "none"])
def test_a_flag_with_a_value_is_declined(name: str, value: str) -> None:
    """§7.1.1: these parameters have no value; §7.1: one with an invalid value MUST be declined."""
    assert accept([(name, value)]) is None


@pytest.mark.parametrize("name", BITS)
@pytest.mark.parametrize(
    "value",
    ["", "0", "1", "7", "16", "99", "08", "09", "010", "015", "+9", "-9", " 9", "9 ", "9.0", "1e1", "0x9", "x", "१०",
     "\uff11\uff10", "1_0", "10\n", "9" * 5000],
)  # fmt: skip
def test_a_window_that_is_not_8_to_15_without_leading_zeros_is_declined(name: str, value: str) -> None:
    """§7.1.2: a decimal integer without leading zeroes between 8 to 15 inclusive."""
    assert accept([(name, value)]) is None


def test_a_server_window_without_a_value_is_declined() -> None:
    """§7.1.2.1: this parameter has a value."""
    assert accept([("server_max_window_bits", None)]) is None


@pytest.mark.parametrize("bad", [("x", None), (FLAGS[0], "1"), (BITS[0], "16"), (BITS[1], "7"), (FLAGS[1], None)])
def test_one_bad_parameter_among_good_ones_is_declined(bad: tuple[str, str | None]) -> None:
    """§7.1: the offer is declined as a whole."""
    good: Parameters = [(FLAGS[1], None), ("client_max_window_bits", None)]
    assert accept(good) is not None
    assert accept([bad, *good]) is None
    assert accept([*good, bad]) is None


OFFERED = st.lists(
    st.tuples(
        st.sampled_from([*FLAGS, *BITS, *FLAGS, *BITS, "x"]),
        st.none() | st.sampled_from(["8", "9", "10", "11", "12", "13", "14", "15", "7", "16", "09"]),
    ),
    max_size=5,
)


def is_right(parameters: Parameters) -> bool:
    """Tell whether §7.1 allows an offer, and zlib can satisfy it."""
    given = dict(parameters)
    return (
        len(given) == len(parameters)
        and given.keys() <= {*FLAGS, *BITS}
        and all(given.get(flag) is None for flag in FLAGS)
        and given.get(BITS[0], "15") in {"9", "10", "11", "12", "13", "14", "15"}
        and given.get(BITS[1]) in {None, "8", "9", "10", "11", "12", "13", "14", "15"}
    )


@settings(deadline=None)
@given(OFFERED)
def test_an_offer_is_accepted_where_it_is_right_and_can_be_satisfied(parameters: Parameters) -> None:
    """§7.1."""
    assert (accept(parameters) is not None) == is_right(parameters)


@settings(deadline=None)
@given(OFFERED.filter(is_right))
def test_an_answer_has_what_it_must_have_and_only_what_it_may(parameters: Parameters) -> None:
    """§7.1.1, §7.1.2."""
    offered, found, agreement = dict(parameters), answer(parameters), agreed(*parameters)
    assert found.keys() <= {*FLAGS, *BITS}
    assert [found.get(flag) for flag in FLAGS] == [None, None]
    assert agreement.server_no_context_takeover == (FLAGS[0] in found)
    assert agreement.client_no_context_takeover == (FLAGS[1] in found)
    assert FLAGS[0] in found or FLAGS[0] not in offered
    assert agreement.server_window_bits <= int(found.get(BITS[0]) or 15) <= int(offered.get(BITS[0]) or 15)
    assert BITS[0] in found or BITS[0] not in offered
    assert agreement.client_window_bits == int(found.get(BITS[1]) or 15) <= int(offered.get(BITS[1]) or 15)
    assert BITS[1] in offered or BITS[1] not in found


# --- what the server sends -----------------------------------------------------------------------


class Client:
    """What decompresses the server's messages, and knows no more of it than what it has answered."""

    def __init__(self, agreement: Agreement) -> None:
        members = dict(part.partition("=")[::2] for part in agreement.response.split("; "))
        self.window_bits = int(members.get("server_max_window_bits", 15))
        self.forgets = "server_no_context_takeover" in members
        self.stream = self.new()

    def new(self) -> "zlib._Decompress":
        return zlib.decompressobj(-self.window_bits)

    def read(self, payload: bytes) -> bytes:
        """Return a message, octet by octet: zlib then sees no more of what came before than its window holds."""
        if self.forgets:
            self.stream = self.new()
        message = b"".join(self.stream.decompress(bytes((octet,))) for octet in payload + TAIL)
        assert not self.stream.eof
        return message


def message_of(number: int) -> bytes:
    """Return a message that is like others, in part, and never the same."""
    return b'{"name": "a value that recurs", "number": %d, "text": "%d"}' % (number, number**7)


EVERY: list[Parameters] = [
    [],
    [(FLAGS[0], None)],
    *([("server_max_window_bits", str(bits))] for bits in range(9, 16)),
    [("server_max_window_bits", "9"), (FLAGS[0], None), ("client_max_window_bits", None)],
]


@pytest.mark.parametrize("parameters", EVERY)
def test_what_the_server_compresses_can_be_read(parameters: Parameters) -> None:
    """§7.2.1: compressed with the window and the context that were agreed on."""
    agreement = agreed(*parameters)
    deflater, client = agreement.deflater(), Client(agreement)
    messages = [message_of(number) for number in range(50)]
    assert [client.read(deflater.deflate(message)) for message in messages] == messages


@pytest.mark.parametrize("parameters", EVERY)
def test_the_server_looks_back_no_further_than_the_window(parameters: Parameters) -> None:
    """§7.1.2.1: the server MUST NOT use a larger LZ77 window than the one that it has answered."""
    agreement = agreed(*parameters)
    deflater, client = agreement.deflater(), Client(agreement)
    chance = random.Random(7692)
    messages = [part for bits in range(8, 15) for part in (chance.randbytes(2**bits),) * 2]
    assert [client.read(deflater.deflate(message)) for message in messages] == messages


@pytest.mark.parametrize("size", [0, 1, 2, 63, 64, 125, 126, 4095, 4096, 4097, 16383, 16384, 65535, 65536, 200_000])
def test_a_message_of_any_size_can_be_compressed(size: int) -> None:
    deflater = agreed().deflater()
    inflater = zlib.decompressobj(-15)
    for data in (bytes(size), random.Random(size).randbytes(size)):
        assert inflater.decompress(deflater.deflate(data) + TAIL) == data


def test_empty_messages_can_be_compressed_one_after_the_other() -> None:
    """§7.2.3.6: a message of nothing is an empty block."""
    deflater = agreed().deflater()
    client = Client(agreed())
    assert [client.read(deflater.deflate(b"")) for _ in range(3)] == [b"", b"", b""]


def test_a_compressed_payload_is_never_empty() -> None:
    """§7.2.1: there is at least one block, of which only the four octets at the end are left out."""
    deflater = agreed().deflater()
    assert [len(deflater.deflate(b"")) > 0 for _ in range(3)] == [True] * 3


@pytest.mark.parametrize("data", [b"", b"Hello", bytes(1000), random.Random(1).randbytes(1000)])
def test_the_four_octets_at_the_end_are_left_out(data: bytes) -> None:
    """§7.2.1: remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end."""
    payload = agreed().deflater().deflate(data)
    assert payload[-4:] != TAIL
    assert zlib.decompressobj(-15).decompress(payload + TAIL) == data


def test_a_server_with_context_refers_to_what_it_has_sent() -> None:
    """§7.1.1: context takeover."""
    deflater = agreed().deflater()
    data = random.Random(2).randbytes(300)
    assert len(deflater.deflate(data)) > 300
    assert len(deflater.deflate(data)) < 30


def test_a_server_without_context_compresses_each_message_for_itself() -> None:
    """§7.1.1.1: a server MUST NOT use context takeover where it has agreed not to."""
    deflater = agreed((FLAGS[0], None)).deflater()
    payloads = [deflater.deflate(b"Hello" * 20) for _ in range(3)]
    assert payloads == payloads[:1] * 3
    assert zlib.decompressobj(-15).decompress(payloads[2] + TAIL) == b"Hello" * 20


def test_each_connection_has_a_context_of_its_own() -> None:
    agreement = agreed()
    first, second = agreement.deflater(), agreement.deflater()
    assert first.deflate(b"Hello" * 20) == second.deflate(b"Hello" * 20)


def test_the_server_may_be_given_the_example() -> None:
    """§7.2.3.1: "Hello" with the fixed Huffman codes."""
    assert Deflater(15, False).deflate(b"Hello") == HELLO == Compressor().payload(b"Hello")
