"""Forms and files."""

# ruff: noqa: B008 - the older spelling, on purpose
from typing import Annotated

from pydantic import BaseModel

from portico import File, Form, Portico, UploadFile
from portico.web.responses import HTMLResponse

app = Portico()


class Login(BaseModel):
    model_config = {"extra": "forbid"}

    username: str
    password: str
    remember: bool = False


@app.post("/login")
async def login(data: Annotated[Login, Form()]) -> Login:
    return data


@app.post("/fields")
def fields(username: Annotated[str, Form(min_length=1)], tags: list[str] = Form([])) -> list[str]:
    return [username, *tags]


@app.post("/files")
async def upload(
    file: Annotated[bytes, File(description="All of it")],
    upload: UploadFile,
    more: Annotated[list[UploadFile], File()],
    token: Annotated[str, Form()],
    maybe: UploadFile | None = None,
) -> dict[str, str | int | None]:
    content: bytes = await upload.read()
    await upload.seek(0)
    names = ",".join(each.filename or "" for each in more)
    size = len(file) + len(content) + (maybe.size or 0 if maybe else 0)
    return {"token": token, "size": size, "names": names, "type": upload.content_type}


@app.get("/", response_class=HTMLResponse)
def form() -> str:
    return '<form action="/files" enctype="multipart/form-data" method="post"><input name="file" type="file"></form>'
