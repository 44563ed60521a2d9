"""The settings of what stands before the application: further addresses, the redirect, HSTS."""

from pathlib import Path
from typing import Any

import pytest
from tests.certificates import local

from portico.server.config import Config
from portico.server.settling import ConfigError, Given
from portico.server.sources import gather


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve nothing."""


def problems(**settings: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Config(app, **settings)
    return caught.value.problems


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (300, "max-age=300"),
        ("0", "max-age=0"),
        ("max-age=300", "max-age=300"),
        (" max-age=300;includeSubDomains ", "max-age=300;includeSubDomains"),
        ("max-age=31536000; includeSubDomains; preload", "max-age=31536000; includeSubDomains; preload"),
        (None, None),
    ],
)
def test_hsts_is_seconds_or_the_whole_value(value: Any, kept: str | None) -> None:
    assert Config(app, hsts=value, **local().settings).hsts == kept


@pytest.mark.parametrize(
    "value", ["", "a year", "1 year", -1, 1.5, True, "includeSubDomains", "max-age=1\r\nx: y", "max-age=1; x", "٣"]
)
def test_other_values_of_hsts_are_refused(value: Any) -> None:
    assert "expected seconds, or such as 'max-age=31536000" in problems(hsts=value, **local().settings)[0]


@pytest.mark.parametrize("value", ["max-age=31536000; preload", "max-age=300; includeSubDomains; preload"])
def test_preload_needs_a_year_and_all_that_is_below(value: str) -> None:
    # https://hstspreload.org refuses anything less.
    assert "preload needs includeSubDomains and" in problems(hsts=value, **local().settings)[0]


def test_hsts_is_read_from_text_and_none_turns_it_off() -> None:
    given = {"app": Given(app, "APP")} | {name: Given(value, name) for name, value in local().settings.items()}
    for text, kept in (("300", "max-age=300"), ("none", None)):
        assert gather(given | {"hsts": Given(text, "--hsts", is_text=True)}, {}).hsts == kept


def test_what_needs_a_certificate_says_so_all_at_once() -> None:
    found = problems(insecure_bind="80", redirect_http="80", hsts=300)
    assert found == [
        f"{name}: there is no TLS; give a certificate with ssl_certfile"
        for name in ("insecure_bind", "redirect_http", "hsts")
    ]


def test_challenges_need_somewhere_to_be_served(tmp_path: Path) -> None:
    found = problems(acme_webroot=tmp_path, **local().settings)
    assert found == ["acme_webroot: it is served where HTTP is redirected; give that with redirect_http"]
    Config(app, acme_webroot=tmp_path, redirect_http=80, **local().settings)


def test_the_directory_of_challenges_has_to_be_there(tmp_path: Path) -> None:
    assert "there is no directory" in problems(acme_webroot=tmp_path / "x", redirect_http=80, **local().settings)[0]


@pytest.mark.parametrize("settings", [{"uds": "/s"}, {"bind": ["unix:/s", "unix:/t"]}])
def test_a_certificate_for_unix_sockets_alone_is_refused(settings: dict[str, Any]) -> None:
    found = problems(**settings, **local().settings)
    assert found == ["ssl_certfile: unix sockets are served without TLS; give another address with bind"]
    Config(app, bind=["unix:/s", "127.0.0.1:0"], **local().settings)


def test_permissions_may_be_those_of_a_unix_socket_without_tls() -> None:
    Config(app, uds_permissions="660", insecure_bind="unix:/s", **local().settings)


@pytest.mark.parametrize("name", ["insecure_bind", "redirect_http"])
def test_an_address_that_is_none_is_refused(name: str) -> None:
    assert "use HOST:PORT" in problems(**{name: "a:b"}, **local().settings)[0]
