"""The site on Litestar."""

from typing import Annotated, Any

from litestar import Litestar, MediaType, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.static_files import create_static_files_router

from bench.sites import FILES, MESSAGE, TEXT


@get("/", media_type=MediaType.TEXT)
async def plaintext() -> str:
    return TEXT


@get("/json")
async def message() -> dict[str, str]:
    return MESSAGE


@get("/items/{id:int}")
async def item(id: int) -> dict[str, int]:
    return {"id": id}


@post("/upload", media_type=MediaType.TEXT)
async def upload(data: Annotated[UploadFile, Body(media_type=RequestEncodingType.MULTI_PART)]) -> str:
    return str(len(await data.read()))


app = Litestar(
    [plaintext, message, item, upload, create_static_files_router("/files", [FILES])],
    openapi_config=None,
)


def routed(count: int) -> Any:
    async def page() -> str:
        return TEXT

    async def shop(id: int) -> str:
        return TEXT

    static = [get(f"/section/page-{number}", media_type=MediaType.TEXT)(page) for number in range(count)]
    shops = [get(f"/shop-{number}/items/{{id:int}}", media_type=MediaType.TEXT)(shop) for number in range(count)]
    return Litestar([*static, *shops], openapi_config=None)
