"""Dates as HTTP writes them: IMF-fixdate (RFC 9110 §5.6.7)."""

DAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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
