"""`gunicorn -k portico.workers.PorticoWorker`: what real gunicorn does with our worker class."""

import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.certificates import authority, local, trusting
from tests.children import ROOT
from tests.gunicorn.running import READY, WORKER, Gunicorn, fails, gunicorn
from tests.live import Wire
from tests.load import Load

APP = "tests.gunicorn.app:app"
HOLD = b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1"
BLOCK = b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n"
pytestmark = [pytest.mark.process, pytest.mark.once]

VERSIONED = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        return
    if scope["path"] == "/hold":
        print("holding", flush=True)
        while (await receive()).get("more_body"):
            pass
    await send({{"type": "http.response.start", "status": 200}})
    await send({{"type": "http.response.body", "body": b"version {}"}})
"""
WSGI = """
import threading

def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REQUEST_METHOD"].encode(), b" ", environ["SCRIPT_NAME"].encode(), b" ", body]
"""
FLASK = """
from flask import Flask, request

app = Flask(__name__)

@app.post("/echo")
def echo():
    return {"got": request.get_json(), "scheme": request.scheme}
"""


def held(server: Gunicorn) -> Wire:
    """Return a connection with a request on its way, which the application has begun to read."""
    wire = Wire(server.port, timeout=20)
    wire.send(HOLD)
    server.wait_for("holding")
    return wire


# --- serving ------------------------------------------------------------------------------------


def test_an_application_is_served_on_gunicorns_address_and_without_an_access_log_unless_asked_for() -> None:
    with gunicorn(APP, cwd=ROOT) as server:
        answer = server.client.get("/scope?b=c")
        assert answer.headers["server"] == "portico"
        assert answer.json()["server"] == ["127.0.0.1", server.port]
        assert answer.json()["path"] == "/scope"
    assert "/scope" not in server.log


def test_several_workers_serve_one_address() -> None:
    with gunicorn(APP, "-w", "2", cwd=ROOT) as server:
        server.wait_for(READY)
        booted = {int(WORKER.findall(line)[0]) for line in server.lines if WORKER.search(line)}
        assert len(booted) == 2
        assert server.pid() in booted


def test_an_application_that_the_master_has_imported_is_served() -> None:
    with gunicorn(APP, "--preload", cwd=ROOT) as server:
        assert server.client.get("/").status_code == 200


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the platform has no SO_REUSEPORT")
def test_each_worker_may_have_a_socket_of_its_own() -> None:
    with socket.socket() as taken:  # it does not listen, so it only keeps others from the port
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with gunicorn(APP, "--reuse-port", "-w", "2", cwd=ROOT, bind=f"127.0.0.1:{port}") as server:
            assert server.client.get("/").status_code == 200


def test_a_unix_socket_is_served_and_its_peers_are_trusted_as_gunicorn_trusts_them(tmp_path: Path) -> None:
    with gunicorn(APP, cwd=ROOT, bind=f"unix:{tmp_path / 'app.sock'}") as server:
        told = server.client.get(
            "/scope", headers={"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}
        ).json()
        assert told["client"][0] == "203.0.113.7"
        assert told["scheme"] == "https"


def test_proxies_are_trusted_as_gunicorn_is_told() -> None:
    with gunicorn(APP, "--forwarded-allow-ips", "192.0.2.1", cwd=ROOT) as server:
        told = server.client.get("/scope", headers={"x-forwarded-for": "203.0.113.7"}).json()
        assert told["client"][0] == "127.0.0.1"


def test_limits_are_gunicorns_and_what_it_lacks_are_variables() -> None:
    options = ("--limit-request-line", "100", "--limit-request-fields", "5")
    with gunicorn(APP, *options, cwd=ROOT, env={"PORTICO_HEALTH": "/healthz", "PORTICO_HEADERS": "X-A:env"}) as server:
        assert server.client.get("/" + "a" * 100).status_code == 414
        assert server.client.get("/", headers={f"x-{number}": "1" for number in range(6)}).status_code == 431
        assert server.client.get("/healthz").text.strip() == "ok"
        assert server.client.get("/", headers={"accept": "*/*"}).headers["x-a"] == "env"


def test_a_subclass_has_settings_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from portico.workers import PorticoWorker\n"
        "class Mine(PorticoWorker):\n"
        "    CONFIG_KWARGS = {'server_header': False, 'loop': 'asyncio'}\n"
    )
    with gunicorn(APP, "-k", "mine.Mine", "--pythonpath", str(tmp_path), cwd=ROOT) as server:
        assert "server" not in server.client.get("/").headers


# --- WSGI ---------------------------------------------------------------------------------------


def test_a_wsgi_application_is_served(tmp_path: Path) -> None:
    (tmp_path / "bare.py").write_text(WSGI)
    with gunicorn("bare:app", cwd=tmp_path, env={"SCRIPT_NAME": "/shop"}, ready="Booting worker") as server:
        assert server.client.post("/shop/a", content=b"body").text == "POST /shop body"


def test_flask_is_served(tmp_path: Path) -> None:
    pytest.importorskip("flask")
    (tmp_path / "shop.py").write_text(FLASK)
    with gunicorn("shop:app", "--threads", "4", cwd=tmp_path, ready="Booting worker") as server:
        answer = server.client.post("/echo", json=[1, 2], headers={"x-forwarded-proto": "https"})
        assert answer.json() == {"got": [1, 2], "scheme": "https"}


# --- logs ---------------------------------------------------------------------------------------


def test_the_access_log_is_gunicorns_file_in_gunicorns_format(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    options = ("--access-logfile", str(log), "--access-logformat", "%(m)s %(U)s %(s)s %({user-agent}i)s")
    with gunicorn(APP, *options, cwd=ROOT) as server:
        server.client.get("/a?b", headers={"user-agent": "me"})
    assert log.read_text() == "GET /a 200 me\n"


def test_gunicorns_own_format_is_understood(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with gunicorn(APP, "--access-logfile", str(log), cwd=ROOT) as server:
        server.client.get("/", headers={"user-agent": "me"})
    assert log.read_text().startswith("127.0.0.1 - - [")
    assert log.read_text().endswith('"-" "me"\n')


def test_the_servers_log_is_written_as_gunicorns(tmp_path: Path) -> None:
    log = tmp_path / "error.log"
    options = ("--error-logfile", str(log))
    with gunicorn(APP, *options, cwd=ROOT, bind=f"unix:{tmp_path / 'sock'}", ready="awake"):
        pass
    assert "] [INFO] Application startup complete." in log.read_text()


def test_usr1_opens_the_logs_anew(tmp_path: Path) -> None:
    log, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    with gunicorn(APP, "--access-logfile", str(log), cwd=ROOT) as server:
        server.client.get("/before")
        log.rename(moved)
        server.signal(signal.SIGUSR1)
        for _ in range(3000):  # the file is there as soon as the master has opened it, the worker may take longer
            server.client.get("/after")
            if log.exists() and "/after" in log.read_text():
                break
    assert "/before" in moved.read_text()
    assert "/after" in log.read_text()


# --- stopping and replacing ---------------------------------------------------------------------


def test_term_finishes_what_is_in_flight_and_runs_the_applications_shutdown() -> None:
    with gunicorn(APP, cwd=ROOT) as server, held(server) as wire:
        server.signal(signal.SIGTERM)
        server.wait_for("Shutting down$")
        wire.send(b"2")
        answer = wire.answer("POST")
        assert (answer.status, answer.closes) == (200, True)
        assert server.wait() == 0
    assert "put away" in server.log


def test_term_cuts_what_lasts_longer_than_the_grace_and_still_runs_the_applications_shutdown() -> None:
    with gunicorn(APP, "--graceful-timeout", "2", cwd=ROOT) as server, held(server) as wire:
        server.signal(signal.SIGTERM)
        assert wire.rest() == b""
        assert server.wait() == 0
    assert "put away" in server.log
    assert "SIGKILL" not in server.log


def test_term_to_one_worker_has_it_replaced() -> None:
    with gunicorn(APP, cwd=ROOT) as server:
        before = server.pid()
        os.kill(before, signal.SIGTERM)
        server.wait_for(READY)
        assert server.pid() != before


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
def test_quit_and_int_cut_what_is_in_flight(number: signal.Signals) -> None:
    with gunicorn(APP, cwd=ROOT) as server, held(server) as wire:
        server.signal(number)
        assert wire.rest() == b""
        assert server.wait() == 0
    assert "put away" in server.log


def test_quit_ends_a_worker_whose_loop_is_blocked(tmp_path: Path) -> None:
    (tmp_path / "hasty.py").write_text(
        "from portico import workers\nworkers.QUIT_S = 1\nWorker = workers.PorticoWorker\n"
    )
    options = ("-k", "hasty.Worker", "--pythonpath", str(tmp_path), "--timeout", "0")
    with gunicorn(APP, *options, cwd=ROOT) as server, Wire(server.port, timeout=20) as wire:
        wire.send(BLOCK)
        server.wait_for("blocking")
        server.signal(signal.SIGQUIT)
        assert wire.rest() == b""
        assert server.wait() == 0
    assert "SIGKILL" not in server.log


def test_hup_serves_the_new_code_and_finishes_what_the_old_has_begun(tmp_path: Path) -> None:
    module = tmp_path / "versioned.py"
    module.write_text(VERSIONED.format(1))
    with gunicorn("versioned:app", cwd=tmp_path, env={"PYTHONDONTWRITEBYTECODE": "1"}) as server:
        with held(server) as wire:
            assert server.client.get("/").text == "version 1"
            module.write_text(VERSIONED.format("two"))
            server.signal(signal.SIGHUP)
            server.wait_for(READY)
            assert server.client.get("/", headers={"connection": "close"}).text in ("version 1", "version two")
            wire.send(b"2")
            assert wire.answer("POST").body == b"version 1"
        server.wait_for("Worker exiting")
        assert server.client.get("/").text == "version two"


def test_a_change_of_the_source_is_served_and_so_is_the_traceback_of_a_syntax_error(tmp_path: Path) -> None:
    module = tmp_path / "versioned.py"
    module.write_text(VERSIONED.format(1))
    options = ("--reload", "--reload-engine", "poll")
    with gunicorn("versioned:app", *options, cwd=tmp_path, env={"PYTHONDONTWRITEBYTECODE": "1"}) as server:
        assert server.client.get("/").text == "version 1"
        module.write_text("def app(:\n")
        assert "line " in answer_after_a_change(server, module, 500)
        module.write_text(VERSIONED.format("two"))
        assert answer_after_a_change(server, module, 200) == "version two"


def answer_after_a_change(server: Gunicorn, module: Path, status: int) -> str:
    """Return the first answer with that status; gunicorn overlooks a file that changes before its first look at it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        os.utime(module)
        with suppress(httpx.TransportError):  # the worker is being replaced
            answer = server.client.get("/")
            if answer.status_code == status:
                return answer.text
        time.sleep(0.1)
    raise AssertionError(f"no answer with status {status}; printed:\n{server.log}")


def test_a_worker_is_replaced_after_max_requests_and_no_request_is_lost() -> None:
    with gunicorn(APP, "--max-requests", "10", cwd=ROOT) as server:
        pids = [server.pid() for _ in range(50)]
    assert len(set(pids)) > 2
    assert max(map(pids.count, pids)) < 40


def test_no_request_is_lost_while_workers_are_replaced_under_load() -> None:
    options = ("-w", "2", "--max-requests", "200", "--max-requests-jitter", "100")
    with gunicorn(APP, *options, cwd=ROOT) as server:
        with Load(server.port) as load:
            for _ in range(3):
                server.signal(signal.SIGHUP)
                server.wait_for("Hang up: Master")
                server.wait_for(READY)
                load.more(300)
        assert load.failures == []


def test_the_worker_of_a_blocked_loop_is_killed_after_the_timeout_and_its_stacks_are_logged() -> None:
    with gunicorn(APP, "--timeout", "1", cwd=ROOT) as server:
        with Wire(server.port, timeout=20) as wire:
            wire.send(BLOCK)
            server.wait_for("WORKER TIMEOUT")
            server.wait_for(r'tests/gunicorn/app.py", line [0-9]+ in app')
            assert wire.rest() == b""
        server.wait_for(READY)
        assert server.client.get("/").status_code == 200


def test_a_slow_start_is_not_taken_for_a_worker_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import threading\n"
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    threading.Event().wait(3)\n"
        "    await send({'type': 'lifespan.startup.complete'})\n"
        "    await receive()\n"
    )
    with gunicorn("slow:app", "--timeout", "1", cwd=tmp_path) as server:
        pass
    assert "WORKER TIMEOUT" not in server.log


def test_the_hooks_of_gunicorns_file_are_called(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text(
        "".join(
            f"def {name}({parameters}):\n    print('hook {name}', flush=True)\n"
            for name, parameters in {
                "post_fork": "server, worker",
                "post_worker_init": "worker",
                "worker_int": "worker",
                "worker_exit": "server, worker",
                "child_exit": "server, worker",
            }.items()
        )
    )
    with gunicorn(APP, "-c", str(tmp_path / "conf.py"), cwd=ROOT) as server:
        server.signal(signal.SIGQUIT)
        assert server.wait() == 0
    for name in ("post_fork", "post_worker_init", "worker_int", "worker_exit"):
        assert server.log.count(f"hook {name}") == 1


# --- failing ------------------------------------------------------------------------------------


def test_an_application_that_cannot_be_imported_halts_gunicorn(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import missing_module\n")
    status, output = fails("broken:app", cwd=tmp_path)
    assert status == 3
    assert "missing_module" in output
    assert output.count("Booting worker") == 1


def test_an_application_whose_startup_fails_halts_gunicorn() -> None:
    status, output = fails(APP, cwd=ROOT, env={"FAIL_AT_STARTUP": "1"})
    assert status == 3
    assert "the cellar is flooded" in output
    assert "Worker failed to boot" in output
    assert output.count("Booting worker") == 1


def test_a_failing_shutdown_does_not_halt_gunicorn() -> None:
    with gunicorn(APP, cwd=ROOT, env={"FAIL_AT_SHUTDOWN": "1"}) as server:
        before = server.pid()
        server.signal(signal.SIGHUP)
        server.wait_for("the door is stuck")
        server.wait_for("exited with code 1")
        assert server.pid() != before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--proxy-protocol",), "does not read the PROXY protocol yet"),
        (
            ("--access-logfile", "-", "--access-logformat", "%(nonsense)s"),
            "access_log_format: unknown atoms 'nonsense'",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_before_a_worker_is_started(options: tuple[str, ...], says: str) -> None:
    status, output = fails(APP, *options, cwd=ROOT)
    assert status == 1
    assert says in output
    assert "Booting worker" not in output


def test_wrong_settings_are_all_named_at_once(tmp_path: Path) -> None:
    env = {"PORTICO_TIMEOUT_HEADER": "soon", "PORTICO_HEALTH": "healthz"}
    status, output = fails(APP, cwd=ROOT, env=env)
    assert status == 1
    assert "PORTICO_TIMEOUT_HEADER: expected a number of seconds" in output
    assert "PORTICO_HEALTH: expected a path" in output


def test_what_has_no_effect_is_warned_of() -> None:
    with gunicorn(APP, "--worker-connections", "5", cwd=ROOT, env={"PORTICO_WORKERS": "4"}) as server:
        pass
    assert "worker_connections has no effect" in server.log
    assert "PORTICO_WORKERS has no effect under gunicorn" in server.log
    assert "statsd_host" not in server.log


def test_certificates_of_gunicorns_settings_turn_tls_on() -> None:
    options = ("--certfile", local().certfile, "--keyfile", local().keyfile)
    with gunicorn(APP, *options, cwd=ROOT) as server, httpx.Client(trust_env=False, verify=trusting()) as client:
        assert server.url.startswith("https://")
        answer = client.get(f"https://localhost:{server.port}/pid")
        assert (answer.status_code, int(answer.text)) == (200, server.pid())


def test_a_key_that_does_not_fit_is_an_error_before_workers_are_forked() -> None:
    other = authority().issue("other")
    status, output = fails(APP, "--certfile", local().certfile, "--keyfile", other.keyfile, cwd=ROOT)
    assert status == 1
    assert "the key does not belong to the certificate" in output
    assert "Booting worker" not in output
