"""A Flask application in one file: forms, uploads, streams, downloads, cookies, errors."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request, send_file, session, stream_with_context

app = Flask(__name__)
app.secret_key = "only for tests"
FILE = Path(__file__)
closed: list[str] = []


@app.post("/greet")
def greet() -> str:
    return f"Hello {request.form['name']}! " * int(request.form.get("times", 1))


@app.post("/json")
def add() -> Any:
    return jsonify(sum=sum(request.get_json()))


@app.post("/upload")
def upload() -> Any:
    file = request.files["file"]
    content = file.read()
    return jsonify(name=file.filename, size=len(content), same=content == bytes(range(256)) * (len(content) // 256))


@app.post("/lines")
def count_lines() -> str:
    return str(sum(1 for _ in request.stream))


@app.get("/stream")
def stream() -> Response:
    @stream_with_context
    def rows() -> Iterator[str]:
        for number in range(100):
            yield f"{request.args['what']} {number}\n"

    return Response(rows(), mimetype="text/csv")


@app.get("/file")
def download() -> Any:
    return send_file(FILE, conditional=True)


@app.get("/memory")
def memory() -> Any:
    return send_file(io.BytesIO(b"from memory"), download_name="memory.txt")


@app.get("/visit")
def visit() -> str:
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


@app.get("/after")
def after() -> Response:
    response = Response("answered")
    response.call_on_close(lambda: closed.append("closed"))
    return response


@app.get("/closed")
def get_closed() -> Any:
    return jsonify(closed)


@app.get("/about/<what>")
def about(what: str) -> Any:
    return jsonify(
        what=what,
        path=request.path,
        root=request.root_path,
        query=request.args.to_dict(),
        secure=request.is_secure,
        host=request.host,
        client=request.remote_addr,
        url=request.url,
        multithread=request.is_multithread,
    )


@app.get("/crash")
def crash() -> str:
    raise RuntimeError("a view that fails")
