"""Serving files: conditional requests, ranges, precompressed siblings; the same for one file and for a directory."""
