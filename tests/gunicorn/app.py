"""An ASGI application whose answers tell what it was given, and which worker gave them."""

import json
import os
import threading
from typing import Any

from portico.asgi import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    path = scope["path"].removeprefix(scope["root_path"])
    if path == "/hold":  # until the client has sent the last byte of its body
        print("holding", flush=True)
        while (await receive()).get("more_body"):
            pass
    if path == "/block":
        print("blocking", flush=True)
        threading.Event().wait()
    told = {"/pid": str(os.getpid()), "/scope": json.dumps(tell(scope))}
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": told.get(path, "ok").encode()})


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    if "FAIL_AT_STARTUP" in os.environ:
        await send({"type": "lifespan.startup.failed", "message": "the cellar is flooded"})
        return
    print("awake", flush=True)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    if "FAIL_AT_SHUTDOWN" in os.environ:
        await send({"type": "lifespan.shutdown.failed", "message": "the door is stuck"})
        return
    print(f"put away {os.getpid()}\n", end="", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


def tell(scope: Scope) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "client": scope["client"],
        "server": scope["server"],
        "scheme": scope["scheme"],
        "path": scope["path"],
        "root_path": scope["root_path"],
    }
