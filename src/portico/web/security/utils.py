"""The value of an Authorization field, in its two parts."""


def get_authorization_scheme_param(authorization_header_value: str | None) -> tuple[str, str]:
    """Return the scheme, as it was written, and what follows it; both empty without a value."""
    if not authorization_header_value:
        return "", ""
    scheme, _, credentials = authorization_header_value.partition(" ")
    return scheme, credentials.strip()


def get_bearer_token(authorization_header_value: str | None) -> str:
    """Return the token of a Bearer field; empty if it is another scheme's or cannot be a token.

    A token is ASCII (RFC 6750 §2.1). With anything else `secrets.compare_digest` of two texts would raise TypeError,
    and the client could cause a 500.
    """
    scheme, token = get_authorization_scheme_param(authorization_header_value)
    return token if scheme.lower() == "bearer" and token.isascii() else ""
