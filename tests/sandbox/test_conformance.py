"""Our sandboxes pass the public conformance suite, and the suite notices broken ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

import broken
from pytest_llmbench.sandbox.protocol import Sandbox
from pytest_llmbench.testing.attacks import ATTACKS
from pytest_llmbench.testing.attacks.ground import Ground, prepare_ground
from pytest_llmbench.testing.sandbox import SMALL_LIMITS, SandboxConformance, attack_box


class TestConformance(SandboxConformance):
    """Each of ours, by the fixture `sandbox` of this folder."""


def check_with(sandbox: Sandbox, check: str, tmp_path: Path, **arguments: object) -> None:
    """Run one check of the suite by hand, with fixtures made here."""
    suite = SandboxConformance()
    method = getattr(suite, check)
    wanted = inspect.signature(method).parameters
    box = sandbox.open_box(suite.limits)
    with pytest.MonkeyPatch.context() as monkeypatch:
        fixtures = {
            "sandbox": sandbox,
            "box": box,
            "python": sandbox.python(),
            "tmp_path": tmp_path,
            "monkeypatch": monkeypatch,
            **arguments,
        }
        try:
            method(**{name: fixtures[name] for name in wanted})
        finally:
            box.close()
            sandbox.close()


def around(
    sandbox: Sandbox, fault: type[broken.BoxAround | broken.SandboxAround]
) -> broken.SandboxAround:
    if issubclass(fault, broken.BoxAround):
        return broken.SandboxAround(sandbox, fault)
    return fault(sandbox)


# The fault, the check that has to notice it, and the check's parameters.
FAULTS = [
    (broken.LeaksEnvironment, "test_environment_is_clean", {}),
    (broken.FollowsLinks, "test_links_are_not_followed", {}),
    (broken.SharesWorkspace, "test_boxes_share_nothing", {}),
    (broken.LosesHome, "test_workspace_and_home_last_between_runs", {}),
    (broken.IgnoresTimeout, "test_time_limit_ends_the_run", {}),
    (broken.ReportsTimeoutAsSuccess, "test_time_limit_ends_the_run", {}),
    (broken.DropsStderr, "test_exit_code_stdout_and_stderr_are_told", {}),
    (broken.MixesSignalWithExitCode, "test_signal_is_told_from_exit_code", {}),
    (
        broken.HidesTruncation,
        "test_output_is_cut_and_said_to_be",
        {"name": "stdout", "descriptor": 1},
    ),
    (
        broken.UnboundedOutput,
        "test_output_is_cut_and_said_to_be",
        {"name": "stderr", "descriptor": 2},
    ),
    (broken.LosesBytes, "test_bytes_that_are_not_utf8_stand_as_escapes", {}),
    (broken.UnboundedMemory, "test_memory_limit_is_told", {}),
    (broken.KeepsGrandchildren, "test_nothing_runs_on_between_runs", {}),
    (broken.AcceptsPathsOutside, "test_path_that_leads_outside_is_refused", {"path": "../outside"}),
    (broken.StaysOpen, "test_closing_twice_is_harmless", {}),
    (broken.GivesAnOpenStdin, "test_stdin_is_at_its_end_unless_given", {}),
    (broken.WaitsForBackground, "test_run_ends_with_its_program", {}),
]


class TestSuiteNoticesFaults:
    """A conformance suite that every sandbox passes would be worth nothing."""

    @pytest.mark.parametrize(
        ("fault", "check", "arguments"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS]
    )
    def test_broken_sandbox_fails(
        self,
        one_sandbox: Sandbox,
        tmp_path: Path,
        fault: type[broken.BoxAround | broken.SandboxAround],
        check: str,
        arguments: dict[str, object],
    ) -> None:
        """The check holds for the sandbox inside, and not for the broken one round it.

        The faults are put round a sandbox, so that one of ours shows them as well as the other.
        """
        (tmp_path / "sound").mkdir()
        (tmp_path / "broken").mkdir()
        check_with(broken.SandboxAround(one_sandbox), check, tmp_path / "sound", **arguments)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check_with(around(one_sandbox, fault), check, tmp_path / "broken", **arguments)


def shows_folder(sandbox: Sandbox, ground: Ground) -> Sandbox:
    return broken.ShowsFolders(sandbox, [ground.other])


def leaks_environment(sandbox: Sandbox, _: Ground) -> Sandbox:
    return broken.SandboxAround(sandbox, broken.LeaksEnvironment)


def loosens(limit: str) -> Callable[[Sandbox, Ground], Sandbox]:
    return lambda sandbox, _: broken.LoosensLimit(sandbox, limit)


# The hole, and the attack that has to get through it.
HOLES = [
    (shows_folder, "read_world_file_outside_home"),
    (leaks_environment, "read_env_api_key"),
    (loosens("processes"), "fork_bomb_200"),
    (loosens("memory_bytes"), "mem_1500MB_one_process"),
    (loosens("memory_bytes"), "mem_1500MB_in_6_processes"),
    (loosens("memory_bytes"), "mem_shared_mmap_6x250MB"),
    (loosens("file_bytes"), "disk_one_file_200MB"),
    (loosens("disk_bytes"), "disk_40_files_of_5MB"),
    (loosens("disk_bytes"), "fill_home"),
    (loosens("files"), "inodes_4000_files"),
    (loosens("output_bytes"), "infinite_stdout"),
]


class TestContainmentNoticesHoles:
    """The attacks get through holes in real sandboxes."""

    @pytest.mark.parametrize(("hole", "name"), HOLES, ids=[name for _, name in HOLES])
    def test_attack_succeeds_through_a_hole(
        self, sandbox: Sandbox, hole: Callable[[Sandbox, Ground], Sandbox], name: str
    ) -> None:
        (attack,) = (each for each in ATTACKS if each.name == name)
        with prepare_ground(SMALL_LIMITS) as ground:
            box = hole(sandbox, ground).open_box(SMALL_LIMITS)
            try:
                harm = attack_box(attack, ground, box, sandbox.python())
            finally:
                box.close()
        assert harm is not None
