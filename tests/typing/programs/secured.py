"""Security: OAuth2 with scopes, basic and bearer, keys, forms of a log-in."""

import secrets
from typing import Annotated

from pydantic import BaseModel, ValidationError

from portico import Depends, HTTPException, Portico, Security, status
from portico.web.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
    OAuth2PasswordRequestForm,
    OpenIdConnect,
    SecurityScopes,
)

app = Portico(swagger_ui_init_oauth={"clientId": "docs", "usePkceWithAuthorizationCodeGrant": True})
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token", scopes={"me": "Read about you.", "items": "Read items."})
code_scheme = OAuth2AuthorizationCodeBearer(authorizationUrl="authorize", tokenUrl="token", auto_error=False)
basic = HTTPBasic(realm="notes")
bearer = HTTPBearer(description="A token", auto_error=False)
header_key = APIKeyHeader(name="x-key")
query_key = APIKeyQuery(name="key", scheme_name="Query key")
cookie_key = APIKeyCookie(name="session", auto_error=False)
openid = OpenIdConnect(openIdConnectUrl="/openid")


class Token(BaseModel):
    access_token: str
    token_type: str


class User(BaseModel):
    username: str
    disabled: bool = False


async def get_current_user(scopes: SecurityScopes, token: Annotated[str, Depends(oauth2_scheme)]) -> User:
    challenge = f'Bearer scope="{scopes.scope_str}"' if scopes.scopes else "Bearer"
    refused = HTTPException(status.HTTP_401_UNAUTHORIZED, "Not you", headers={"WWW-Authenticate": challenge})
    try:
        user = User(username=token)
    except ValidationError:
        raise refused from None
    if not all(scope in token for scope in scopes.scopes):
        raise refused
    return user


async def get_active_user(user: Annotated[User, Security(get_current_user, scopes=["me"])]) -> User:
    if user.disabled:
        raise HTTPException(status_code=400, detail="Inactive user")
    return user


@app.post("/token")
async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    assert form.grant_type is None or form.grant_type == "password"
    return Token(access_token=f"{form.username}:{form.password} {form.scopes}", token_type="bearer")


@app.get("/users/me")
async def me(user: Annotated[User, Depends(get_active_user)]) -> User:
    return user


@app.get("/users/me/items")
async def items(user: Annotated[User, Security(get_active_user, scopes=["items"])]) -> list[str]:
    return [user.username]


@app.get("/basic")
def basic_user(credentials: Annotated[HTTPBasicCredentials, Depends(basic)]) -> str:
    if not secrets.compare_digest(credentials.password.encode(), b"secret"):
        raise HTTPException(status_code=401, headers={"WWW-Authenticate": "Basic"})
    return credentials.username


@app.get("/bearer")
def bearer_user(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
    return credentials.credentials if credentials else "nobody"


@app.get("/keys", dependencies=[Security(code_scheme, scopes=["me"]), Depends(openid)])
def keys(
    one: Annotated[str, Security(header_key)], two: str = Depends(query_key), three: str | None = Depends(cookie_key)
) -> list[str | None]:
    return [one, two, three]
