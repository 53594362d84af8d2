"""Every attack works without a sandbox, and works in none of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_llmbench.sandbox.bubblewrap import Bubblewrap
from pytest_llmbench.sandbox.landlock import Landlock
from pytest_llmbench.sandbox.protocol import KIB, MIB, Limits, Sandbox
from pytest_llmbench.testing.attacks import ATTACKS
from pytest_llmbench.testing.attacks.attack import Attack
from pytest_llmbench.testing.attacks.control import run_unconfined
from pytest_llmbench.testing.attacks.ground import Ground, NoPlaceError, prepare_ground
from pytest_llmbench.testing.sandbox import SMALL_LIMITS, SandboxContainment

TINY_LIMITS = Limits(
    memory_bytes=12 * MIB,
    processes=4,
    file_bytes=MIB,
    disk_bytes=2 * MIB,
    files=20,
    output_bytes=16 * KIB,
)
"""What the positive controls go a little beyond: they run with no sandbox."""


def started(sandbox: Sandbox) -> Iterator[Sandbox]:
    obstacle = sandbox.find_obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    yield sandbox
    sandbox.close()


class OurContainment(SandboxContainment):
    """What ours contain beyond the public suite: programs too fast for any watchdog."""

    def test_disk_is_bounded_for_a_program_that_ends_at_once(
        self, started_sandbox: Sandbox
    ) -> None:
        """It is refused the space, or its result tells of the limit; it never just succeeds."""
        count = 2 * SMALL_LIMITS.disk_bytes // SMALL_LIMITS.file_bytes
        code = f"""
block = b"x" * {SMALL_LIMITS.file_bytes}
for number in range({count}):
    with open(str(number), "wb") as file:
        file.write(block)
"""
        box = started_sandbox.open_box(SMALL_LIMITS)
        try:
            result = box.run([started_sandbox.python(), "-c", code])
        finally:
            box.close()
        assert result.limit == "disk: 16 MiB" or "No space left on device" in result.stderr
        assert result.returncode != 0

    def test_files_are_bounded_for_a_program_that_ends_at_once(
        self, started_sandbox: Sandbox
    ) -> None:
        """As for the disk."""
        code = f"for number in range({2 * SMALL_LIMITS.files}): open(str(number), 'x').close()"
        box = started_sandbox.open_box(SMALL_LIMITS)
        try:
            result = box.run([started_sandbox.python(), "-c", code])
        finally:
            box.close()
        assert result.limit == "files: 400" or "No space left on device" in result.stderr
        assert result.returncode != 0


class TestBubblewrap(OurContainment):
    """Bubblewrap contains every attack."""

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        yield from started(Bubblewrap())


class TestLandlock(OurContainment):
    """Landlock contains every attack."""

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        yield from started(Landlock())


class TestPositiveControl:
    """An attack that succeeds nowhere would prove nothing."""

    @pytest.fixture(scope="class")
    @classmethod
    def ground(cls) -> Iterator[Ground]:
        with prepare_ground(TINY_LIMITS, unconfined=True) as ground:
            yield ground

    @pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
    def test_attack_succeeds_without_a_sandbox(self, attack: Attack, ground: Ground) -> None:
        try:
            harm = run_unconfined(attack, ground)
        except NoPlaceError as error:
            pytest.skip(str(error))
        assert harm is not None
