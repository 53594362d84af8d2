"""The energy that this machine's GPUs take, read from the driver's own library (NVML).

The library comes with NVIDIA's driver, so no package is needed. It counts each GPU's energy since
the driver was loaded; the difference of two readings is what was taken between them, whoever took
it: a figure is worth its name only while one request runs at a time.
"""

from __future__ import annotations

import ctypes
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from pytest_llmbench.providers.protocol import Endpoint

LIBRARY = "libnvidia-ml.so.1"
JOULES_PER_KWH = 3_600_000
MILLIJOULES_PER_JOULE = 1000

_NAME_LENGTH = 96


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of this machine."""

    name: str
    memory_bytes: int


class EnergyMeter(Protocol):
    """Whoever counts the energy of this machine's GPUs."""

    def read_joules(self) -> float | None:
        """All that the GPUs took since some fixed moment; None when it cannot be read."""


class NvidiaDriver:
    """The NVIDIA GPUs of this machine."""

    def __init__(self, library: Any) -> None:
        """`library` is NVML, initialised; `find_driver` opens it."""
        self._library = library
        self._devices = _list_devices(library)

    def read_joules(self) -> float | None:
        """The energy counters of all GPUs together; None when one has no counter."""
        total_mj = 0
        for device in self._devices:
            counter_mj = ctypes.c_ulonglong()
            if self._library.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(counter_mj)):
                return None
            total_mj += counter_mj.value
        return total_mj / MILLIJOULES_PER_JOULE if self._devices else None

    def list_gpus(self) -> Sequence[Gpu]:
        """Each GPU with the size of its memory, as far as it can be read."""
        gpus = []
        for device in self._devices:
            memory = (ctypes.c_ulonglong * 3)()  # total, free, used
            name = ctypes.create_string_buffer(_NAME_LENGTH)
            unnamed = self._library.nvmlDeviceGetName(device, name, _NAME_LENGTH)
            if not self._library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)):
                gpus.append(Gpu("GPU" if unnamed else name.value.decode(), memory[0]))
        return gpus


def find_driver() -> NvidiaDriver | None:
    """NVIDIA's driver on this machine; None when there is none that works."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    return None if library.nvmlInit_v2() else NvidiaDriver(library)


def can_be_metered(endpoint: Endpoint) -> bool:
    """Whether the GPUs of this machine work for this endpoint, and for one request at a time."""
    return endpoint.kind == "local" and endpoint.concurrency == 1 and is_here(endpoint)


def is_here(endpoint: Endpoint) -> bool:
    """Whether an endpoint's server runs on this machine, by the server's address."""
    host = urlsplit(endpoint.address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def cost_of_energy(joules: float, tariff: float) -> float:
    """What energy costs, in the currency of a tariff per kWh."""
    return joules / JOULES_PER_KWH * tariff


def _list_devices(library: Any) -> list[ctypes.c_void_p]:
    count = ctypes.c_uint()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return []
    devices = []
    for index in range(count.value):
        device = ctypes.c_void_p()
        if not library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)):
            devices.append(device)
    return devices
