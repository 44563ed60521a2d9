"""Benchmarks: Portico beside its peers, in one run."""
