"""Dates as HTTP writes them, IMF-fixdate, and reads them, the two obsolete forms as well (RFC 9110 §5.6.7)."""

DAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTH_NUMBERS = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
DAY_NAMES = frozenset(
    "mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905
)
MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def imf_fixdate(seconds: int) -> str:
    """Return the date of a POSIX time in whole seconds, such as `Sun, 06 Nov 1994 08:49:37 GMT`."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    year, month, day = _civil(days)
    return f"{DAYS[days % 7]}, {day:02} {MONTHS[month - 1]} {year:04} {hours:02}:{rest // 60:02}:{rest % 60:02} GMT"


def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar."""
    era, day_of_era = divmod(days + 719468, 146097)  # eras of 400 years that begin on 1 March
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    return year, month, day_of_year - (153 * shifted + 2) // 5 + 1


def parse_http_date(text: str) -> int | None:
    """Return the POSIX time of an HTTP date in any of its three forms, or None where it is none.

    The day's name has to be one, but not the right one. Of a year with two digits those from 70 on are the 1900s.
    """
    if len(text) > 40 or not text.isascii():
        return None
    words = text.replace("-", " ").split()
    if len(words) == 6 and words[0].endswith(",") and words[5] in ("GMT", "UTC"):
        name, day, month, year, clock = words[0][:-1], words[1], words[2], words[3], words[4]
    elif len(words) == 5:  # asctime
        name, month, day, clock, year = words
        if len(year) != 4:
            return None
    else:
        return None
    month_number = MONTH_NUMBERS.get(month.lower())
    if month_number is None or name.lower() not in DAY_NAMES or not (day.isdecimal() and year.isdecimal()):
        return None
    seconds = _clock(clock)
    if seconds is None or len(day) > 2 or len(year) not in (2, 4):
        return None
    year_number = int(year)
    if len(year) == 2:
        year_number += 1900 if year_number >= 70 else 2000
    day_number = int(day)
    leap = month_number == 2 and year_number % 4 == 0 and (year_number % 100 != 0 or year_number % 400 == 0)
    if not 1 <= day_number <= MONTH_LENGTHS[month_number - 1] + leap:
        return None
    return _days(year_number, month_number, day_number) * 86400 + seconds


def _clock(text: str) -> int | None:
    parts = text.split(":")
    if len(parts) != 3 or not all(len(part) == 2 and part.isdecimal() for part in parts):
        return None
    hour, minute, second = (int(part) for part in parts)
    if hour > 23 or minute > 59 or second > 60:  # RFC 5322 §3.3 has leap seconds
        return None
    return hour * 3600 + minute * 60 + second


def _days(year: int, month: int, day: int) -> int:
    """Return the day counted from 1970-01-01, in the proleptic Gregorian calendar."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
