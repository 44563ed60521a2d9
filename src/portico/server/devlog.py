"""The access log of development: time, status, duration, method, target in columns, coloured by what the status is."""

from portico.server.access import ATOMS, Entry, Part

RESET, DIM = "\x1b[0m", "\x1b[2m"
# Informational, success, redirection, the client's mistake, the server's.
COLOURS = {1: "\x1b[36m", 2: "\x1b[32m", 3: "\x1b[36m", 4: "\x1b[33m", 5: "\x1b[31m"}
SLOW_MICROS = 1_000_000


def renderer(colours: bool) -> Part:
    """Return what makes a line of an exchange: `12:03:44  200    1.3 ms  GET /items/7`."""
    method, path, query = ATOMS["m"], ATOMS["U"], ATOMS["q"]

    def render(entry: Entry) -> str:
        clock = entry.json_time[11:19]
        status = str(entry.status)
        micros = entry.micros
        took = f"{micros / 1000:.1f} ms" if micros < SLOW_MICROS else f"{micros / 1_000_000:.2f} s "
        took = took.rjust(9)
        target = path(entry) + ("?" + query(entry) if "?" in entry.target else "")
        if colours:
            colour = COLOURS.get(entry.status // 100, "")
            clock = f"{DIM}{clock}{RESET}"
            status = f"{colour}{status}{RESET}"
            took = took if micros >= SLOW_MICROS else f"{DIM}{took}{RESET}"
        return f"{clock}  {status} {took}  {method(entry)} {target}\n"

    return render
