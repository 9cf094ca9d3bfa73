"""The demo resumes from what is there, and from nothing else."""

from __future__ import annotations

import pytest
from rich.console import Console

from ui.demo.steps import Steps


def chain(folder, calls, second=2):
    """Two steps, the second with a setting."""
    steps = Steps(folder, Console(quiet=True))
    for name, setting in (("a", 1), ("b", second)):

        def work(home, tell, name=name, setting=setting):
            calls.append(name)
            tell(1, 1)
            (home / "x").write_text("there")
            return {"setting": setting}

        steps.run(name, name, setting, work)
    return steps


def test_a_second_run_does_nothing_again(tmp_path):
    """Answers and times come from the record."""
    calls: list[str] = []
    chain(tmp_path, calls)
    again = chain(tmp_path, calls)
    assert calls == ["a", "b"]
    assert again.answers == {"a": {"setting": 1}, "b": {"setting": 2}}
    assert [one["name"] for one in again.done] == ["a", "b"]


def test_a_changed_setting_runs_that_step_and_what_follows(tmp_path):
    """Nothing upstream is repeated."""
    calls: list[str] = []
    chain(tmp_path, calls)
    chain(tmp_path, calls, second=3)
    assert calls == ["a", "b", "b"]


def test_a_step_cut_off_in_the_middle_runs_again_from_a_clean_folder(tmp_path):
    """No half-written file survives."""
    steps = Steps(tmp_path, Console(quiet=True))

    def fails(home, tell):
        (home / "half").write_text("half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        steps.run("a", "a", 1, fails)
    steps = Steps(tmp_path, Console(quiet=True))
    steps.run("a", "a", 1, lambda home, tell: {"clean": not (home / "half").exists()})
    assert steps.answers["a"] == {"clean": True}
