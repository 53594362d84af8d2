"""Hostile programs, each with a witness on the host: what every sandbox has to contain.

`ATTACKS` are tried by `pytest_llmbench.testing.sandbox`. Each is harmless where it is not
contained: it aims at planted witnesses alone, and stops by itself or is stopped.
"""

from __future__ import annotations

from pytest_llmbench.testing.attacks.attack import Attack
from pytest_llmbench.testing.attacks.files import FILE_ATTACKS
from pytest_llmbench.testing.attacks.kernel import KERNEL_ATTACKS
from pytest_llmbench.testing.attacks.network import NETWORK_ATTACKS
from pytest_llmbench.testing.attacks.processes import PROCESS_ATTACKS
from pytest_llmbench.testing.attacks.resources import RESOURCE_ATTACKS

ATTACKS: tuple[Attack, ...] = (
    *FILE_ATTACKS,
    *PROCESS_ATTACKS,
    *NETWORK_ATTACKS,
    *KERNEL_ATTACKS,
    *RESOURCE_ATTACKS,
)
