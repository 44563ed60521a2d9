"""Settings: where they come from, and what is said of one that is wrong."""

from pathlib import Path
from typing import Any, assert_type

import pytest

from portico.web.config import Config, Environ, EnvironError
from portico.web.datastructures import Secret


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(
        "# NAME=comment\n"
        "NAME = from the file \n"
        "QUOTED='  kept  '\n"
        'DOUBLE="it\'s"\n'
        'HALF="open\n'
        "QUOTE='\n"
        "EMPTY=\n"
        "EQUATION=a=b\n"
        "no setting\n"
        "GREETING=grüße\n",
        encoding="utf-8",
    )
    return path


def test_a_setting_has_the_type_of_its_cast() -> None:
    config = Config(environ={"A": "1"})
    assert_type(config("A"), str)
    assert_type(config("A", cast=int), int)
    assert_type(config("B", default=None), str | None)
    assert_type(config("B", cast=int, default=None), int | None)
    assert config("A", cast=int) == 1


def test_the_environment_comes_before_the_file_and_the_file_before_the_default(env_file: Path) -> None:
    assert Config(env_file, environ={"NAME": "here"})("NAME", default="default") == "here"
    assert Config(env_file, environ={})("NAME", default="default") == "from the file"
    assert Config(env_file, environ={})("OTHER", default="default") == "default"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUOTED", "  kept  "),
        ("DOUBLE", "it's"),
        ("HALF", '"open'),
        ("QUOTE", "'"),
        ("EMPTY", ""),
        ("EQUATION", "a=b"),
        ("GREETING", "grüße"),
    ],
)
def test_a_file_has_a_setting_on_each_line(env_file: Path, name: str, value: str) -> None:
    assert Config(str(env_file), environ={})(name) == value


def test_a_line_that_sets_nothing_is_passed_over(env_file: Path) -> None:
    assert "# NAME" not in Config(env_file, environ={}).file_values
    assert "no setting" not in Config(env_file, environ={}).file_values


def test_a_file_may_have_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"GREETING=gr\xfc\xdfe\n")
    assert Config(path, environ={}, encoding="latin-1")("GREETING") == "grüße"


def test_a_file_that_is_not_there_gives_a_warning(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="not found") as record:
        Config(tmp_path / "none", environ={})
    assert record[0].filename == __file__


def test_names_may_have_a_prefix(env_file: Path) -> None:
    config = Config(env_file, environ={"APP_DEBUG": "1", "DEBUG": "0"}, env_prefix="APP_")
    assert config("DEBUG", cast=bool) is True
    with pytest.raises(KeyError, match="APP_NAME"):
        config("NAME")


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("True", True), ("1", True), ("false", False), ("FALSE", False), ("0", False)]
)
def test_a_flag_is_true_false_1_or_0(text: str, value: bool) -> None:
    assert Config(environ={"A": text})("A", cast=bool) is value


@pytest.mark.parametrize("text", ["", "yes", "2", "off"])
def test_any_other_flag_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="'A' must be true, false, 1 or 0"):
        Config(environ={"A": text})("A", cast=bool)


def test_a_value_that_cannot_be_cast_is_named_with_its_setting() -> None:
    with pytest.raises(ValueError, match="'PORT' must be a valid int, got 'http'"):
        Config(environ={"PORT": "http"})("PORT", cast=int)


def test_a_cast_without_a_name_is_shown_as_it_is() -> None:
    class Failing:
        def __call__(self, value: Any) -> int:
            raise TypeError

        def __repr__(self) -> str:
            return "<failing>"

    with pytest.raises(ValueError, match="must be a valid <failing>"):
        Config(environ={"A": "x"})("A", cast=Failing())


def test_a_default_is_cast_but_for_none() -> None:
    config = Config(environ={})
    assert config("A", cast=int, default="10") == 10
    assert config("A", cast=int, default=None) is None
    assert config("A", cast=bool, default=True) is True


def test_a_setting_that_is_missing_says_what_to_do() -> None:
    with pytest.raises(KeyError, match="'KEY' has no default: set it"):
        Config(environ={})("KEY")


def test_a_secret_does_not_show_itself() -> None:
    secret = Config(environ={"KEY": "hidden"})("KEY", cast=Secret)
    assert "hidden" not in repr(secret)
    assert str(secret) == "hidden"


def test_a_variable_that_has_been_read_is_not_changed() -> None:
    environ = Environ({"READ": "1", "OTHER": "1"})
    environ["OTHER"] = "2"
    del environ["OTHER"]
    assert environ["READ"] == "1"
    with pytest.raises(EnvironError, match=r"'READ'.*cannot be set"):
        environ["READ"] = "2"
    with pytest.raises(EnvironError, match=r"'READ'.*cannot be deleted"):
        del environ["READ"]
    assert dict(environ) == {"READ": "1"}
    assert len(environ) == 1


def test_a_variable_that_was_looked_for_in_vain_is_not_set() -> None:
    environ = Environ({})
    assert "LATE" not in environ
    with pytest.raises(EnvironError):
        environ["LATE"] = "1"


def test_the_environment_of_the_process_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_TEST_CONFIG", "here")
    assert Config()("PORTICO_TEST_CONFIG") == "here"
