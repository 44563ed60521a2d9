"""A soak: mixed load on a supervised Portico for minutes, its memory plotted, its failed requests counted."""
