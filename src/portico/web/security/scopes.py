"""The OAuth2 scopes that a request needs, for the dependency that checks them."""


class SecurityScopes:
    """The scopes that a dependency and all that depend on it require; declare a parameter of this type to get them.

    Args:
        scopes: The scopes, the outermost dependency's first.
    """

    def __init__(self, scopes: list[str] | None = None) -> None:
        self.scopes: list[str] = scopes or []
        self.scope_str: str = " ".join(self.scopes)

    def __repr__(self) -> str:
        return f"SecurityScopes({self.scopes!r})"
