"""Rows over TLS and HTTP/2, beside nginx: h2load asks over HTTP/2, wrk over HTTP/1.1, and Python shakes hands.

One worker each, and one certificate with a key on P-256, made for the run. Every connection is TLS 1.3 with AES-256,
which is what all these servers choose for wrk; h2load would take AES-128 from some of them. nginx answers by itself
what the others have an application answer.
"""

import os
import re
import socket
import ssl
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.loads import LOAD, REQUEST, Row, cost, wrk
from bench.servers import answers, command, free_port

COMMANDS = {
    "portico": "{python} -m portico run {app} --port {port} --log-level warning --no-access-log",
    "granian": "{python} -m granian --interface asgi --loop uvloop --no-ws --port {port} --log-level warning "
    "--no-access-log {app}",
    "hypercorn": "{python} -m hypercorn -k uvloop -b 127.0.0.1:{port} --log-level warning -c {{files}}/hypercorn.toml "
    "{app}",
    "uvicorn": "{python} -m uvicorn {app} --port {port} --log-level warning --loop uvloop --http httptools "
    "--no-access-log",
    "nginx": "nginx -p {{files}} -c {{files}}/nginx-{port}.conf",
}
SECURE = {
    "portico": "--ssl-certfile {files}/cert.pem --ssl-keyfile {files}/key.pem",
    "granian": "--ssl-certificate {files}/cert.pem --ssl-keyfile {files}/key.pem",
    "hypercorn": "--certfile {files}/cert.pem --keyfile {files}/key.pem",
    "uvicorn": "--ssl-certfile {files}/cert.pem --ssl-keyfile {files}/key.pem",
    "nginx": "",
}
# Both would close a connection after a thousand requests, which h2load counts as failures.
HYPERCORN = "keep_alive_max_requests = 1_000_000_000\n"
NGINX = """
worker_processes 1;
daemon off;
user {user};
pid nginx-{port}.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=10;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_buffer_size 2m;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    default_type text/plain;
    server {{
        listen 127.0.0.1:{port} {protocols};
        {certificate}
        root .;
        location = /plaintext {{ return 200 "Hello, world!"; }}
        location = /upload {{ mirror /taken; error_page 405 =200 /plaintext; }}
        location = /taken {{ internal; return 204; }}
    }}
}}
"""
CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
    "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -out {files}/cert.pem -keyout {files}/key.pem"
)
CIPHER = "TLS_AES_256_GCM_SHA384"
MEGABYTE = 1 << 20
UPLOAD = f'wrk.method = "POST"\nwrk.body = string.rep("x", {MEGABYTE})\n'
HANDSHAKE = "CPU us a handshake"


def prepare(name: str, app: str, port: int, *, secure: bool, http2: bool) -> list[str]:
    """Return the command line of a server, once the files are there that it reads."""
    files = Path(os.environ["BENCH_FILES"])
    if not (files / "cert.pem").exists():
        subprocess.run(CERTIFICATE.format(files=files).split(), check=True, capture_output=True)
        (files / "hypercorn.toml").write_text(HYPERCORN)
        (files / "megabyte").write_bytes(b"z" * MEGABYTE)
        (files / "upload").touch()
    if name == "nginx":
        (files / f"nginx-{port}.conf").write_text(nginx(port, secure, http2))
    words = command(name, app, port, commands=COMMANDS) + (SECURE[name].split() if secure else [])
    return [word.format(files=files) for word in words]


def nginx(port: int, secure: bool, http2: bool) -> str:
    """Return the configuration of nginx."""
    protocols = "ssl" * secure + " http2" * http2
    certificate = "ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3;" if secure else ""
    user = "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody")
    return NGINX.format(port=port, protocols=protocols, certificate=certificate, user=user)


def trusting() -> ssl.SSLContext:
    """Return a context for the load, which checks no certificate: that would be its own time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def shakes_hands(port: int) -> bool:
    """Tell whether the server speaks TLS."""
    try:
        connect(port, trusting()).close()
    except OSError:
        return False
    return True


def connect(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    sock = socket.create_connection(("127.0.0.1", port), 5)
    try:
        return context.wrap_socket(sock, server_hostname="localhost", session=session)
    except OSError:
        sock.close()
        raise


def h2load(port: int, seconds: float, *, scheme: str, path: str, clients: int, streams: int, body: int = 0) -> int:
    """Run h2load and return the number of requests; anything but 2xx answers is an error."""
    with tempfile.NamedTemporaryFile() as file:
        words = [*LOAD, "h2load", f"-c{clients}", f"-m{streams}", f"-D{seconds:g}s", f"--tls13-ciphers={CIPHER}"]
        if body:
            file.truncate(body)
            words.append(f"--data={file.name}")
        words.append(f"{scheme}://127.0.0.1:{port}{path}")
        output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: (\d+) 2xx, 0 3xx, 0 4xx", output)
    if found is None or found[1] == "0":
        raise RuntimeError(output[-500:])
    return int(found[1])


def http2(
    name: str, seconds: float, *, app: str, secure: bool = True, clients: int = 16, streams: int = 32, body: int = 0
) -> float:
    """Return CPU microseconds per request over HTTP/2."""
    port = free_port()
    scheme = "https" if secure else "http"
    ask = partial(h2load, scheme=scheme, path=f"/{app}", clients=clients, streams=streams, body=body)
    arguments = prepare(name, app, port, secure=secure, http2=True)
    return cost(arguments, port, seconds, ask, ready=shakes_hands if secure else answers)


def http1(name: str, seconds: float, *, app: str, script: str = "") -> float:
    """Return CPU microseconds per request over HTTP/1.1 with TLS."""
    port = free_port()
    ask = partial(wrk, script=script, path=f"/{app}", scheme="https")
    return cost(prepare(name, app, port, secure=True, http2=False), port, seconds, ask, ready=shakes_hands)


def shake_hands(port: int, seconds: float, *, resumed: bool) -> int:
    """Connect, ask once and read to the end, again and again; return how often.

    The request is there because the tickets of a session come with the answer.
    """
    os.sched_setaffinity(0, {1})
    context, session, count = trusting(), None, 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        with connect(port, context, session) as sock:
            if sock.session_reused != (session is not None):
                raise RuntimeError("the session was not resumed")
            sock.sendall(b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while sock.recv(4096):
                pass
            session = sock.session if resumed else None
        count += 1
    return count


def handshakes(name: str, seconds: float, *, resumed: bool) -> float:
    """Return CPU microseconds for each connection with one request."""
    port = free_port()
    before = os.sched_getaffinity(0)
    arguments = prepare(name, "plaintext", port, secure=True, http2=False)
    try:
        return cost(arguments, port, seconds, partial(shake_hands, resumed=resumed), ready=shakes_hands)
    finally:
        os.sched_setaffinity(0, before)


NO_HTTP2 = ("uvicorn",)
ROWS = {
    "h2 plaintext": Row(partial(http2, app="plaintext"), REQUEST, NO_HTTP2),
    "h2c plaintext": Row(partial(http2, app="plaintext", secure=False), REQUEST, NO_HTTP2),
    "tls plaintext": Row(partial(http1, app="plaintext"), REQUEST, ()),
    "h2 1 MB down": Row(partial(http2, app="megabyte", clients=8, streams=4), REQUEST, NO_HTTP2, size=MEGABYTE),
    "h2 1 MB up": Row(
        partial(http2, app="upload", clients=8, streams=4, body=MEGABYTE), REQUEST, NO_HTTP2, size=MEGABYTE
    ),
    "tls 1 MB down": Row(partial(http1, app="megabyte"), REQUEST, (), size=MEGABYTE),
    "tls 1 MB up": Row(partial(http1, app="upload", script=UPLOAD), REQUEST, (), size=MEGABYTE),
    "tls handshake": Row(partial(handshakes, resumed=False), HANDSHAKE, (), rate="handshakes"),
    "tls resumption": Row(partial(handshakes, resumed=True), HANDSHAKE, (), rate="handshakes"),
}
