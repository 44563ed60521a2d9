"""The framework: routing, requests, responses and middleware, under the names that Starlette's users know."""
