"""Whom the workers run as: `--user` and `--group` for a supervisor that was started by root."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portico.asgi import PorticoError

if TYPE_CHECKING:
    import pwd

    from portico.server.config import Config

# The kernel takes the highest number for "leave it as it is": a worker would go on as root.
HIGHEST = 2**32 - 2


class AccountError(PorticoError):
    """The workers cannot run as the user or group that was asked for; the text says why."""


@dataclass(frozen=True)
class Identity:
    """A user, a group and the supplementary groups, all by number."""

    user: int
    group: int
    groups: tuple[int, ...]

    def popen(self) -> dict[str, Any]:
        """Return the keywords with which `subprocess.Popen` starts a process of this identity."""
        return {"user": self.user, "group": self.group, "extra_groups": self.groups}

    def assume(self) -> None:
        """Make this process one of this identity, for good.

        Raises:
            AccountError: it was not possible, wholly; the process must not go on.
        """
        try:
            # The user comes last: without root's rights the groups could not be changed any more.
            os.setgroups(self.groups)
            os.setgid(self.group)
            os.setuid(self.user)
        except OSError as error:
            raise AccountError(f"cannot run as user {self.user} and group {self.group}: {error.strerror}") from None
        if self.user != 0 and _can_return():
            raise AccountError(f"cannot run as user {self.user}: the system would let the process be root again")

    def own(self, path: str) -> None:
        """Give a file to the user and the group; of a symbolic link, the link itself.

        Raises:
            OSError: that is not permitted, or there is no such file.
        """
        # A link that the user has laid in a directory of their own must not get them any file of the system.
        os.chown(path, self.user, self.group, follow_symlinks=False)


def identity(config: "Config") -> Identity | None:
    """Return whom the workers are to run as; None where nothing was asked for, or nothing is to be changed.

    Raises:
        AccountError: only root can change them, or the group is not known.
    """
    if config.user is None and config.group is None:
        return None
    import pwd

    account = _account(config.user)
    user = _number("user", config.user, account.pw_uid if account else None)
    group = _group(config, account)
    if os.geteuid() != 0:
        if (user, group) == (os.geteuid(), os.getegid()):
            return None
        me = _name(pwd, os.geteuid())
        wanted = f"user {config.user or me} and group {config.group or group}"
        raise AccountError(f"{me} cannot have workers run as {wanted}: start as root, or leave out user and group")
    if account is None or config.user is None:
        return Identity(user, group, (group,))
    groups = os.getgrouplist(account.pw_name, group)
    return Identity(user, group, tuple(groups[: os.sysconf("SC_NGROUPS_MAX")]))


def _account(user: str | None) -> "pwd.struct_passwd | None":
    """Return the entry of the user, or of this process's; a number needs none."""
    import pwd

    try:
        if user is None:
            return pwd.getpwuid(os.geteuid())
        return pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        return None


def _group(config: "Config", account: "pwd.struct_passwd | None") -> int:
    import grp

    if config.group is not None:
        try:
            return _number("group", config.group, None if config.group.isdigit() else grp.getgrnam(config.group).gr_gid)
        except KeyError:
            raise AccountError(f"there is no group {config.group!r}") from None
    if account is None:
        raise AccountError(f"user {config.user} has no entry that says which group is theirs: give a group too")
    return account.pw_gid


def _number(what: str, text: str | None, known: int | None) -> int:
    if known is not None:
        return known
    if text is None:
        return os.geteuid()
    if not text.isdigit():
        raise AccountError(f"there is no {what} {text!r}")
    if int(text) > HIGHEST:
        raise AccountError(f"{text} is no number of a {what}: the highest is {HIGHEST}")
    return int(text)


def _name(pwd: Any, number: int) -> str:
    try:
        return str(pwd.getpwuid(number).pw_name)
    except KeyError:
        return str(number)


def _can_return() -> bool:
    try:
        os.setuid(0)
    except OSError:
        return False
    return True
