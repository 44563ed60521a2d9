"""Words of HTTP: no state, no I/O, no clock."""
