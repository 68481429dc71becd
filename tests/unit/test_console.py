"""Long steps show that they go on, also where stderr is no terminal."""

import threading

import pytest
from typer.testing import CliRunner

from deployments.cli import app, lag_commands
from deployments.cli.console import progress, talk


def test_redirected_output_gets_a_line_now_and_then(monkeypatch):
    lines, second = [], threading.Event()

    def take(line, **_):
        lines.append(line)
        if len(lines) == 2:
            second.set()

    monkeypatch.setattr(talk, "print", take)
    with progress("Merging public.orders", line_seconds=0.01):
        assert second.wait(60)
    assert all(line.startswith("Merging public.orders (") for line in lines)


def test_short_step_says_nothing(capfd):
    with progress("Merging public.orders"):
        pass
    assert capfd.readouterr() == ("", "")


def test_error_that_nobody_foresaw_is_told_without_a_traceback_which_is_kept(tmp_path, monkeypatch):
    def broken():
        raise RuntimeError("nobody foresaw this one")

    monkeypatch.setenv("LAKEHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(lag_commands, "load_settings", broken)
    ended = CliRunner().invoke(app, ["lag"])
    assert ended.exit_code == 1
    assert "error: RuntimeError: nobody foresaw this one" in ended.stderr
    assert "Traceback" not in ended.output
    assert "in broken" in (tmp_path / "home" / "traceback.txt").read_text()


@pytest.mark.parametrize(("arguments", "code"), [(["lag", "--nonsense"], 2), (["--version"], 0), (["nonsense"], 2)])
def test_exit_codes_of_wrong_and_right_calls(arguments, code):
    assert CliRunner().invoke(app, arguments).exit_code == code
