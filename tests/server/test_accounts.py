import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.children import environment
from tests.served import served

from portico.server.processes.accounts import AccountError, Identity, identity

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="users and groups by number")
if sys.platform != "win32":
    import grp
    import pwd

by_root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = "nobody"

# What is imported here need not be readable for whoever the process becomes.
IMPORTS = """
import grp, json, os, pwd, types
from portico.server.processes.accounts import AccountError, Identity, identity
"""
# What a process says of itself: user and group numbers (real, effective, saved), the others, and what it could undo.
REPORT = """
def report():
    undone = []
    for name, number in (("setuid", 0), ("seteuid", 0), ("setgid", 0), ("setegid", 0), ("setgroups", [0])):
        try:
            getattr(os, name)(number)
            undone.append(name)
        except PermissionError:
            pass
    print(json.dumps([os.getresuid(), os.getresgid(), sorted(os.getgroups()), undone]))
"""


def settings(user: str | None = None, group: str | None = None) -> Any:
    return SimpleNamespace(user=user, group=group)


def run(program: str) -> Any:
    command = [sys.executable, "-c", IMPORTS + REPORT + program]
    done = subprocess.run(command, env=environment(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nobody_else_was_asked_for() -> None:
    assert identity(settings()) is None


@by_root
def test_a_user_brings_their_group_and_the_others_that_they_are_in() -> None:
    entry = pwd.getpwnam(NOBODY)
    found = identity(settings(NOBODY))
    assert found == identity(settings(str(entry.pw_uid)))
    assert found is not None
    assert (found.user, found.group) == (entry.pw_uid, entry.pw_gid)
    assert set(found.groups) == set(os.getgrouplist(NOBODY, entry.pw_gid))


@by_root
def test_a_group_that_is_named_takes_the_place_of_the_users() -> None:
    other = grp.getgrgid(1)
    by_name, by_number = identity(settings(NOBODY, other.gr_name)), identity(settings(NOBODY, "1"))
    assert by_name == by_number
    assert by_name is not None
    assert by_name.group == 1
    assert 1 in by_name.groups


@by_root
def test_a_group_alone_leaves_the_user_and_drops_the_other_groups() -> None:
    assert identity(settings(group="1")) == Identity(0, 1, (1,))


@by_root
def test_a_number_without_an_entry_needs_a_group() -> None:
    with pytest.raises(AccountError, match=r"54321 has no entry.*give a group too"):
        identity(settings("54321"))
    assert identity(settings("54321", "54322")) == Identity(54321, 54322, (54322,))


@by_root
@pytest.mark.parametrize("number", [str(2**32 - 1), str(2**32), str(2**64), "9" * 30])
def test_a_number_that_the_kernel_would_take_for_no_change_is_refused(number: str) -> None:
    with pytest.raises(AccountError, match="is no number of a user"):
        identity(settings(number, "1"))
    with pytest.raises(AccountError, match="is no number of a group"):
        identity(settings("1", number))


@by_root
def test_names_that_have_gone_since_the_settings_were_read_are_errors() -> None:
    with pytest.raises(AccountError, match="there is no user 'gone-with-the-wind'"):
        identity(settings("gone-with-the-wind", "1"))
    with pytest.raises(AccountError, match="there is no group 'gone-with-the-wind'"):
        identity(settings(NOBODY, "gone-with-the-wind"))


@by_root
@pytest.mark.process
def test_a_process_becomes_somebody_else_for_good() -> None:
    said = run("Identity(65534, 65533, (65532, 65533)).assume()\nreport()")
    assert said == [[65534] * 3, [65533] * 3, [65532, 65533], []]


@by_root
@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="numbers are read in /proc")
def test_a_process_is_started_as_somebody_else_for_good() -> None:
    started = Identity(65534, 65533, (65532, 65533)).popen()
    text = subprocess.run(["cat", "/proc/self/status"], check=True, capture_output=True, text=True, **started).stdout
    status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    # Real, effective, saved, and that of file systems.
    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65533"] * 4
    assert status["Groups"].split() == ["65532", "65533"]
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}


@by_root
@pytest.mark.process
def test_root_stays_root_where_only_the_group_changes() -> None:
    said = run("Identity(0, 1, (1,)).assume()\nprint(json.dumps([os.getresuid(), os.getresgid(), os.getgroups()]))")
    assert said == [[0, 0, 0], [1, 1, 1], [1]]


def as_nobody(user: str | None, group: str | None, then: str = "") -> Any:
    """Return what `identity` says to an ordinary user, or the text of the error."""
    return run(
        "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
        f"try:\n    said = identity(types.SimpleNamespace(user={user!r}, group={group!r}))\n    {then}\n"
        "except AccountError as error:\n    said = str(error)\nprint(json.dumps(said))"
    )


@by_root
@pytest.mark.process
def test_who_is_not_root_is_told_that_only_root_can() -> None:
    said = as_nobody("root", None)
    assert said.endswith(" workers run as user root and group 0: start as root, or leave out user and group")


@by_root
@pytest.mark.process
def test_who_is_that_user_already_needs_no_change() -> None:
    assert as_nobody("65534", "65534") is None


@by_root
@pytest.mark.process
def test_a_change_that_fails_is_an_error_and_not_a_process_with_roots_rights() -> None:
    said = as_nobody("65534", "65534", "Identity(0, 0, (0,)).assume()")
    assert said == "cannot run as user 0 and group 0: Operation not permitted"


@by_root
def test_a_file_is_given_away_but_never_what_a_link_points_at(tmp_path: Path) -> None:
    found = Identity(65534, 65533, ())
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(file)
    found.own(str(link))
    assert (link.lstat().st_uid, file.stat().st_uid) == (65534, 0)
    found.own(str(file))
    assert (file.stat().st_uid, file.stat().st_gid) == (65534, 65533)
    assert stat.S_ISREG(file.stat().st_mode)


APP = """
import json, os
async def app(scope, receive, send):
    assert scope["type"] == "http"
    body = json.dumps([os.getresuid(), os.getresgid(), os.getgroups()]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


def may_run_here() -> bool:
    """Tell whether nobody can run this interpreter and import the server: a home of root's keeps them out."""
    try:
        command = [sys.executable, "-c", "import portico.cli"]
        who = Identity(65534, 65534, (65534,)).popen()
        subprocess.run(command, env=environment(), cwd="/", check=True, capture_output=True, timeout=60, **who)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@by_root
@pytest.mark.process
@pytest.mark.parametrize("preload", [False, True])
def test_workers_run_as_the_user_and_the_supervisor_stays_root(preload: bool) -> None:
    if not may_run_here():
        pytest.skip("nobody cannot run this interpreter")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "main.py").write_text(APP)
        log, socket_file = directory / "access.log", directory / "web"
        options = ["--user", NOBODY, "--access-log-file", str(log), *(["--preload"] if preload else [])]
        addresses = ["--bind", "127.0.0.1:0", "--bind", f"unix:{socket_file}", "--uds-permissions", "660"]
        with served("main:app", *options, *addresses, supervised=True, cwd=directory) as server:
            entry = pwd.getpwnam(NOBODY)
            users, groups, others = server.client.get("/").json()
            assert (users, groups) == ([entry.pw_uid] * 3, [entry.pw_gid] * 3)
            assert set(others) == set(os.getgrouplist(NOBODY, entry.pw_gid))
            assert os.stat(f"/proc/{server.process.pid}").st_uid == 0
            assert (log.stat().st_uid, socket_file.stat().st_uid) == (entry.pw_uid, entry.pw_uid)
