"""Open a resource when the server starts, close it when it stops, and reach it from every request.

Whatever startup puts into `scope["state"]` is in the `scope["state"]` of each request.
"""

import sqlite3

from portico.asgi import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await live(scope, receive, send)
    else:
        await answer(scope, send)


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    """Open the database, wait for the end, close the database."""
    assert (await receive())["type"] == "lifespan.startup"
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE visit (path TEXT)")
    scope["state"]["database"] = database
    print("database opened", flush=True)
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    database.close()
    print("database closed", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def answer(scope: Scope, send: Send) -> None:
    """Count the visits to this path."""
    database: sqlite3.Connection = scope["state"]["database"]
    database.execute("INSERT INTO visit VALUES (?)", (scope["path"],))
    (visits,) = database.execute("SELECT count(*) FROM visit WHERE path = ?", (scope["path"],)).fetchone()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": f"visit {visits} to {scope['path']}\n".encode()})
