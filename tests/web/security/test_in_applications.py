"""Security schemes in applications: on requests and WebSockets, with scopes, and in the OpenAPI document."""

import secrets
from collections.abc import Callable
from typing import Annotated, Any

import pytest

from portico.web import Depends, HTTPException, Portico, Security, WebSocket
from portico.web.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    HTTPDigest,
    OAuth2,
    OAuth2PasswordBearer,
    OAuth2PasswordRequestForm,
    OAuth2PasswordRequestFormStrict,
    OpenIdConnect,
    SecurityScopes,
)
from portico.web.testclient import TestClient, WebSocketDenialResponse

SCHEMES: list[tuple[Callable[..., Any], str]] = [
    (HTTPBasic, "Basic"),
    (HTTPBearer, "Bearer"),
    (HTTPDigest, "Digest"),
    (lambda **options: APIKeyHeader(name="key", **options), "APIKey"),
    (lambda **options: APIKeyQuery(name="key", **options), "APIKey"),
    (lambda **options: APIKeyCookie(name="key", **options), "APIKey"),
    (OAuth2, "Bearer"),
    (lambda **options: OAuth2PasswordBearer("token", **options), "Bearer"),
    (lambda **options: OpenIdConnect(openIdConnectUrl="/", **options), "Bearer"),
]


def application(scheme: Any) -> Portico:
    app = Portico()

    @app.get("/")
    async def read(found: Annotated[Any, Depends(scheme)]) -> Any:
        return {"found": found}

    @app.websocket("/ws")
    async def talk(websocket: WebSocket, found: Annotated[Any, Depends(scheme)]) -> None:
        await websocket.accept()
        await websocket.send_json({"found": found})
        await websocket.close()

    return app


@pytest.mark.parametrize(("make", "challenge"), SCHEMES)
def test_requests_and_handshakes_without_credentials_are_401(make: Callable[..., Any], challenge: str) -> None:
    client = TestClient(application(make()))
    refused = client.get("/")
    assert (refused.status_code, refused.json()) == (401, {"detail": "Not authenticated"})
    assert refused.headers["www-authenticate"] == challenge
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/ws"):
        pass
    assert (denied.value.status_code, denied.value.json()) == (401, {"detail": "Not authenticated"})
    assert denied.value.headers["www-authenticate"] == challenge


@pytest.mark.parametrize(("make", "challenge"), SCHEMES)
def test_optional_credentials_are_none_where_they_are_missing(make: Callable[..., Any], challenge: str) -> None:
    client = TestClient(application(make(auto_error=False)))
    assert client.get("/").json() == {"found": None}
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_json() == {"found": None}


def test_credentials_can_be_given_in_one_of_several_ways() -> None:
    app = Portico()

    @app.get("/")
    async def read(
        key: Annotated[str | None, Depends(APIKeyHeader(name="key", auto_error=False))],
        token: Annotated[str | None, Depends(OAuth2PasswordBearer("token", auto_error=False))],
    ) -> str | None:
        return key or token

    client = TestClient(app)
    assert client.get("/", headers={"key": "k"}).json() == "k"
    assert client.get("/", headers={"authorization": "Bearer t"}).json() == "t"
    assert client.get("/").json() is None


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (("ann", "secret"), 200),
        (("ann", "Secret"), 401),
        (("bob", "secret"), 401),
        (("änn", "secret"), 401),
        (None, 401),
    ],
)
def test_names_and_passwords_are_compared_in_constant_time(auth: Any, status: int) -> None:
    app = Portico()
    basic = HTTPBasic(charset="UTF-8")

    def user(given: Annotated[HTTPBasicCredentials, Depends(basic)]) -> str:
        right_name = secrets.compare_digest(given.username.encode(), b"ann")
        right_password = secrets.compare_digest(given.password.encode(), b"secret")
        if not (right_name and right_password):
            raise HTTPException(401, "Wrong name or password", basic.make_authenticate_headers())
        return given.username

    @app.get("/")
    def read(user: Annotated[str, Depends(user)]) -> str:
        return user

    answer = TestClient(app).get("/", auth=auth)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == 'Basic charset="UTF-8"'


def test_scopes_of_all_dependencies_on_the_way_are_required() -> None:
    app = Portico()

    async def required(scopes: SecurityScopes) -> list[str]:
        return scopes.scopes

    async def items(scopes: Annotated[list[str], Security(required, scopes=["items", "read"])]) -> list[str]:
        return scopes

    @app.get("/")
    async def read(
        inner: Annotated[list[str], Security(items, scopes=["me", "read"])],
        outer: Annotated[list[str], Security(required, scopes=["me"])],
        none: Annotated[list[str], Depends(required)],
    ) -> dict[str, list[str]]:
        return {"inner": inner, "outer": outer, "none": none}

    assert TestClient(app).get("/").json() == {"inner": ["me", "read", "items"], "outer": ["me"], "none": []}


def test_scopes_are_a_list_and_a_text() -> None:
    scopes = SecurityScopes(["a", "b"])
    assert scopes.scopes == ["a", "b"]
    assert scopes.scope_str == "a b"
    assert repr(scopes) == "SecurityScopes(['a', 'b'])"
    assert (SecurityScopes().scopes, SecurityScopes().scope_str) == ([], "")


@pytest.fixture
def login() -> TestClient:
    app = Portico()

    @app.post("/login")
    async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Any:
        return vars(form)

    @app.post("/strict")
    async def strict(form: Annotated[OAuth2PasswordRequestFormStrict, Depends()]) -> Any:
        return vars(form)

    return TestClient(app)


def test_the_form_of_the_password_flow(login: TestClient) -> None:
    data = {"username": "ann", "password": "p w", "scope": " read  write "}
    expected = {
        "username": "ann",
        "password": "p w",
        "scopes": ["read", "write"],
        "client_id": None,
        "client_secret": None,
    }
    assert login.post("/login", data=data).json() == {**expected, "grant_type": None}
    data |= {"grant_type": "password", "client_id": "c"}
    expected |= {"grant_type": "password", "client_id": "c"}
    assert login.post("/login", data=data).json() == expected
    assert login.post("/strict", data=data).json() == expected


@pytest.mark.parametrize("path", ["/login", "/strict"])
def test_a_form_of_another_flow_is_refused(login: TestClient, path: str) -> None:
    data = {"username": "ann", "password": "p", "grant_type": "password\n"}
    (problem,) = login.post(path, data=data).json()["detail"]
    assert (problem["type"], problem["loc"]) == ("string_pattern_mismatch", ["body", "grant_type"])


def test_only_the_strict_form_insists_on_the_grant_type(login: TestClient) -> None:
    data = {"username": "ann", "password": "p"}
    assert login.post("/login", data=data).status_code == 200
    (problem,) = login.post("/strict", data=data).json()["detail"]
    assert (problem["type"], problem["loc"]) == ("missing", ["body", "grant_type"])


def test_schemes_are_in_the_openapi_document() -> None:
    app = Portico()
    bearer = OAuth2PasswordBearer("token", scopes={"read": "Read"})

    @app.get("/", dependencies=[Security(bearer, scopes=["read"]), Depends(APIKeyHeader(name="X-Key"))])
    async def read() -> None: ...

    document = app.openapi()
    assert document["paths"]["/"]["get"]["security"] == [{"OAuth2PasswordBearer": ["read"]}, {"APIKeyHeader": []}]
    assert document["components"]["securitySchemes"] == {
        "OAuth2PasswordBearer": {
            "type": "oauth2",
            "flows": {"password": {"scopes": {"read": "Read"}, "tokenUrl": "token"}},
        },
        "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Key"},
    }


def test_a_scheme_can_be_overridden_for_a_test() -> None:
    bearer = HTTPBearer()
    app = application(bearer)
    app.dependency_overrides[bearer] = lambda: "somebody"
    assert TestClient(app).get("/").json() == {"found": "somebody"}


def test_no_model_is_made_before_the_document_is_asked_for() -> None:
    scheme = HTTPBearer()
    app = application(scheme)
    client = TestClient(app)
    assert client.get("/").status_code == 401
    assert client.get("/", headers={"authorization": "Bearer x"}).status_code == 200
    assert "model" not in vars(scheme)
    app.openapi()
    assert "model" in vars(scheme)
