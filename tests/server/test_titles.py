import subprocess
import sys

import pytest
from tests.children import environment

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="titles are read in /proc"),
]


def titled(role: str, name: str, *, without_setproctitle: bool = False) -> tuple[str, str]:
    """Return the command line and the short name of a process that has given itself a title."""
    hidden = "import sys; sys.modules['setproctitle'] = None\n" if without_setproctitle else ""
    program = (
        f"{hidden}from portico.server.processes.titles import set_title\n"
        f"set_title({role!r}, {name!r})\n"
        "print(open('/proc/self/cmdline').read().rstrip('\\0'), open('/proc/self/comm').read().rstrip(), sep='\\n')\n"
    )
    command = [sys.executable, "-c", program]
    output = subprocess.run(command, env=environment(), check=True, timeout=60, capture_output=True, text=True).stdout
    first, _, second = output.removesuffix("\n").rpartition("\n")
    return first, second


def test_ps_shows_the_role_and_the_application() -> None:
    pytest.importorskip("setproctitle")
    assert titled("worker 1", "main:app")[0] == "portico: worker 1 [main:app]"


@pytest.mark.parametrize(
    ("role", "name"),
    [("worker 1", "portico w1"), ("worker 1000", "portico w1000"), ("supervisor", "portico supervi")],
)
def test_without_setproctitle_linux_shows_a_short_title(role: str, name: str) -> None:
    command, short = titled(role, "main:app", without_setproctitle=True)
    assert short == name
    assert command.startswith(sys.executable)
