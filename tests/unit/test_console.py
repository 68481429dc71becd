"""Long steps show that they go on, also where stderr is no terminal."""

import threading

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
