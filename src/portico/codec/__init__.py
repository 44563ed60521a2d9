"""Bytes to typed events and back, without a socket, a loop or a clock."""
