"""Run the peers' own published tests on our framework: `python conformance/frameworks.py starlette -- -k routing`.

`starlette`: Starlette's tests, its name bound to `portico.web`. `fastapi`: the tests of the real FastAPI, unmodified,
on our core. The source archives are downloaded by name and hash into a cache directory, with an environment of their own;
nothing of theirs is changed. Arguments after `--` go to pytest. The exit status is 1 if fewer pass than the bar, or if
a test fails that `conformance/expected_failures.toml` does not list with its reason.
"""
