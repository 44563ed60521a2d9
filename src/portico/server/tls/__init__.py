"""TLS: which certificates there are (`certificates`), and the transport that encrypts for the protocol above it."""
