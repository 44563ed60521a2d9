import pytest
from tests.web.middleware.exchange import ask, page

from portico.web.middleware.hsts import YEAR_S, HSTSMiddleware

FIELD = "strict-transport-security"


def test_a_response_over_https_has_the_field():
    assert ask(HSTSMiddleware(page(), max_age=60), scheme="https").get(FIELD) == "max-age=60"
    app = HSTSMiddleware(page(), include_subdomains=True, preload=True)
    assert ask(app, scheme="https").get(FIELD) == f"max-age={YEAR_S}; includeSubDomains; preload"


def test_a_response_over_http_has_it_not():
    """RFC 6797 section 7.2."""
    assert FIELD not in ask(HSTSMiddleware(page()))


def test_the_applications_own_field_stays():
    assert ask(HSTSMiddleware(page(headers={FIELD: "max-age=0"})), scheme="https").get(FIELD) == "max-age=0"


@pytest.mark.parametrize(
    "options", [{"max_age": -1}, {"preload": True}, {"preload": True, "include_subdomains": True, "max_age": 5}]
)
def test_options_that_contradict_each_other_are_refused(options):
    with pytest.raises(ValueError):
        HSTSMiddleware(page(), **options)
