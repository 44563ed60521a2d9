"""What is read of certificates, held against the library that has made them."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import Issued, authority, local

from portico.server.tls.x509 import distinguished_name, read_certificate


def der(issued: Issued) -> bytes:
    return issued.certificate.public_bytes(Encoding.DER)


def subject(*attributes: x509.NameAttribute) -> str:
    return distinguished_name(_content(x509.Name(attributes).public_bytes()))


def _content(encoded: bytes) -> bytes:
    size = encoded[1]
    return encoded[2:] if size < 0x80 else encoded[2 + (size & 0x7F) :]


def test_the_names_of_the_dns_are_found_in_lower_case() -> None:
    issued = authority().issue("Shop.Example", "*.shop.example", "192.0.2.1")
    assert read_certificate(der(issued)).names == ("shop.example", "*.shop.example")


def test_without_names_of_the_dns_the_common_name_counts() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old.Example")])
    assert read_certificate(der(authority().issue("192.0.2.1", subject=name))).names == ("old.example",)
    found = read_certificate(authority().certificate.public_bytes(Encoding.DER))
    assert found.names == ("portico's tests",)


def test_the_times_are_found() -> None:
    issued = authority().issue("a")
    found = read_certificate(der(issued))
    assert (found.begins, found.ends) == (
        issued.certificate.not_valid_before_utc,
        issued.certificate.not_valid_after_utc,
    )


def test_years_after_2049_are_read() -> None:
    """RFC 5280 §4.1.2.5: they are written as GeneralizedTime."""
    ends = datetime(2061, 2, 3, 4, 5, 6, tzinfo=UTC) - datetime.now(UTC)
    found = read_certificate(der(authority().issue("a", ends=ends + timedelta(seconds=1))))
    assert found.ends.year == 2061


def test_the_subject_is_written_from_its_end() -> None:
    """RFC 4514 §2.1."""
    written = subject(
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Berlin"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme"),
        x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example"),
        x509.NameAttribute(NameOID.USER_ID, "u1"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Ann"),
    )
    assert written == "CN=Ann,UID=u1,DC=example,O=Acme,ST=Berlin,C=DE"


def test_parts_of_several_values_are_joined() -> None:
    """RFC 4514 §2.2."""
    part = x509.RelativeDistinguishedName(
        [x509.NameAttribute(NameOID.COMMON_NAME, "Ann"), x509.NameAttribute(NameOID.USER_ID, "u1")]
    )
    written = distinguished_name(_content(x509.Name([part]).public_bytes()))
    assert sorted(written.split("+")) == ["CN=Ann", "UID=u1"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a,b", "a\\,b"),
        ('"a"', '\\"a\\"'),
        ("a+b;c<d>e\\f", "a\\+b\\;c\\<d\\>e\\\\f"),
        ("#a#", "\\#a#"),
        (" a ", "\\ a\\ "),
        (" ", "\\ "),
        ("  ", "\\ \\ "),
        ("a=b", "a=b"),
        ("Zoë", "Zoë"),
        ("a\nCN=b", "a\\0aCN=b"),
        ("a\x00b", "a\\00b"),
    ],
)
def test_what_has_a_meaning_is_escaped(value: str, written: str) -> None:
    """RFC 4514 §2.4."""
    assert subject(x509.NameAttribute(NameOID.COMMON_NAME, value)) == f"CN={written}"


def test_types_without_a_short_name_are_numbers_and_their_values_hexadecimal() -> None:
    """RFC 4514 §2.4."""
    assert subject(x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@b")) == "1.2.840.113549.1.9.1=#1603614062"
    long = subject(x509.NameAttribute(NameOID.TITLE, "x" * 200))
    assert long == "2.5.4.12=#0c81c8" + "78" * 200


@pytest.mark.parametrize("kind", [_ASN1Type.BMPString, _ASN1Type.T61String, _ASN1Type.PrintableString])
def test_other_kinds_of_text_are_read(kind: _ASN1Type) -> None:
    encoded = "Ann".encode("utf-16-be") if kind == _ASN1Type.BMPString else b"Ann"
    attribute = b"\x06\x03\x55\x04\x03" + bytes([kind.value, len(encoded)]) + encoded
    inner = b"\x30" + bytes([len(attribute)]) + attribute
    assert distinguished_name(b"\x31" + bytes([len(inner)]) + inner) == "CN=Ann"


def test_a_text_that_is_none_is_hexadecimal() -> None:
    attribute = b"\x06\x03\x55\x04\x03\x0c\x01\xff"
    inner = b"\x30" + bytes([len(attribute)]) + attribute
    assert distinguished_name(b"\x31" + bytes([len(inner)]) + inner) == "2.5.4.3=#0c01ff"


@given(st.integers(0, 2000), st.integers(0, 255))
def test_what_is_no_certificate_is_a_value_error(at: int, value: int) -> None:
    data = bytearray(der(local()))
    data[at % len(data)] = value
    try:
        read_certificate(bytes(data))
    except ValueError:
        pass


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50, 200])
def test_a_certificate_that_is_cut_is_a_value_error(count: int) -> None:
    with pytest.raises(ValueError):
        read_certificate(der(local())[:count])
