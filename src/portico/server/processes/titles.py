"""Titles of processes, as `ps` shows them: `portico: worker 1 [main:app]`."""

COMM = "/proc/self/comm"  # Linux: the name of the main thread, of which the kernel keeps 15 bytes


def set_title(role: str, name: str) -> None:
    """Give this process a title; needs setproctitle, without which Linux shows a short one (`portico w1`)."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        _set_comm("portico " + role.replace("worker ", "w"))
    else:
        setproctitle(f"portico: {role} [{name}]")


def _set_comm(text: str) -> None:
    try:
        with open(COMM, "wb", buffering=0) as file:
            file.write(text.encode("utf-8", "replace"))
    except OSError:
        pass
