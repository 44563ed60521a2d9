"""Applications whose documentation a browser opens: as it comes, and where neither foreign nor inline code may run."""

from typing import Annotated, Any

from pydantic import BaseModel

from portico.web import Depends, Form, Portico
from portico.web.requests import Request
from portico.web.responses import RedirectResponse, Response
from portico.web.security import OAuth2AuthorizationCodeBearer

app = Portico(
    title="Parrots",
    description="Which **parrots** are there?",
    # Whatever the page made of these, it would show.
    swagger_ui_init_oauth={"clientId": "O'Reilly & <sons>"},
)
scheme = OAuth2AuthorizationCodeBearer(authorizationUrl="authorize", tokenUrl="token")


class Parrot(BaseModel):
    """A bird."""

    name: str = "Polly"
    age: int | None = None


@app.get("/parrots/{name}")
async def read_parrot(name: str, age: int = 3) -> Parrot:
    """Return the parrot with the name."""
    return Parrot(name=name, age=age)


@app.post("/parrots", status_code=201)
async def add_parrot(parrot: Parrot) -> Parrot:
    """Take in a parrot."""
    return parrot


@app.get("/secret")
async def read_secret(token: Annotated[str, Depends(scheme)]) -> str:
    """Tell the secret."""
    return f"The token is {token}"


@app.get("/authorize", include_in_schema=False)
async def authorize(redirect_uri: str, state: str, client_id: str) -> RedirectResponse:
    """Stand in for an authorization server that lets everybody in at once."""
    return RedirectResponse(f"{redirect_uri}?code=a%3Db&state={state}", 303)


@app.post("/token", include_in_schema=False)
async def token(code: Annotated[str, Form()]) -> dict[str, str]:
    """Give the token for the code."""
    return {"access_token": code.upper(), "token_type": "bearer"}


strict = Portico(title="Strict")
strict.mount("/birds", app)


@strict.middleware("http")
async def add_policy(request: Request, call_next: Any) -> Response:
    """Add the strictest policy that is common: what is loaded comes from here, and no code is in the page."""
    response: Response = await call_next(request)
    response.headers["content-security-policy"] = "default-src 'self'; img-src 'self' data:"
    return response
