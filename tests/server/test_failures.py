"""The text about code that cannot be imported: one sentence, and the place where it is to be mended."""

from pathlib import Path

import pytest

from portico.asgi import PorticoError
from portico.server.config import Config
from portico.server.failures import explain, summarize
from portico.server.importer import AppImportError, load


def explained(source: str, tmp_path: Path, name: str) -> str:
    (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(AppImportError) as caught:
        load(Config(app=f"{name}:app", app_dir=str(tmp_path)))
    return explain(caught.value)


def test_a_syntax_error_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    text = explained("app = 1\ndef f(:\n    pass\n", tmp_path, "unparsable")
    file = tmp_path / "unparsable.py"
    assert text.splitlines() == [
        f"importing 'unparsable' failed: SyntaxError: invalid syntax ({file}, line 2)",
        f'  File "{file}", line 2',
        "    def f(:",
        "          ^",
        "SyntaxError: invalid syntax",
    ]


def test_an_exception_is_shown_with_the_frames_of_the_program_only(tmp_path: Path) -> None:
    text = explained("def f():\n    return nowhere\n\napp = f()\n", tmp_path, "failing_module")
    file = tmp_path / "failing_module.py"
    lines = text.splitlines()
    assert lines[0] == f"importing 'failing_module' failed: NameError: name 'nowhere' is not defined ({file}, line 2)"
    assert [line for line in lines if line.startswith("  File ")] == [
        f'  File "{file}", line 4, in <module>',
        f'  File "{file}", line 2, in f',
    ]
    assert lines[-1] == "NameError: name 'nowhere' is not defined"


def test_what_led_to_it_is_shown_too(tmp_path: Path) -> None:
    text = explained(
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('x') from e\n", tmp_path, "led"
    )
    assert text.index("ZeroDivisionError: division by zero") < text.index("direct cause") < text.rindex("KeyError: 'x'")
    assert "importlib" not in text


def test_an_error_without_a_cause_is_its_sentence() -> None:
    assert explain(PorticoError("there is no module 'x'")) == "there is no module 'x'"


def test_any_other_exception_is_a_traceback() -> None:
    try:
        raise OSError("unexpected")
    except OSError as error:
        text = explain(error)
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("\nOSError: unexpected")


def test_a_failed_startup_whose_traceback_was_logged_is_a_line() -> None:
    error = PorticoError("Traceback (most recent call last):\n  ...\nKeyError: 'x'\n")
    assert summarize(error) == str(error).strip()
    error.__cause__ = KeyError("x")
    assert summarize(error) == "the application's startup failed: KeyError: 'x'"
    said = PorticoError("no database")
    said.__cause__ = KeyError("x")
    assert summarize(said) == "no database"
