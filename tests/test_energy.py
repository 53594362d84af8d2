"""Energy: what GPUs take while an answer is made.

No test here needs a GPU: the driver's library is played by an object with its functions.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_llmbench.costs import Costs
from pytest_llmbench.energy import Gpu, NvidiaDriver, can_be_metered
from pytest_llmbench.generation.ask import Progress, RetryPolicy, ask
from pytest_llmbench.generation.chunks import End, VisibleText
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.prices import PriceList
from pytest_llmbench.providers.protocol import Endpoint, Kind, Patience
from pytest_llmbench.testing.clock import FakeClock
from pytest_llmbench.testing.provider import Script, ScriptedProvider

REQUEST = Request(messages=(Message("user", "hello"),), max_tokens=10)
ANSWER = Script([(1.0, VisibleText("x")), (1.0, VisibleText("y")), (0.5, End("end", "stop"))])
HOME = "http://127.0.0.1:11434"


class GpuAt300Watts:
    """A GPU whose counter follows a fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.readings = 0

    def read_joules(self) -> float | None:
        self.readings += 1
        return 300.0 * self._clock.now()


class BrokenMeter:
    """A meter of which each reading is the next of a list."""

    def __init__(self, readings: Sequence[float | None]) -> None:
        self._readings = list(readings)

    def read_joules(self) -> float | None:
        return self._readings.pop(0)


def generate(
    clock: FakeClock, meter: Any, endpoint: Endpoint, tariff: float | None = None
) -> Recording:
    """The recording of one answer of 2.5 s, asked for under a meter."""
    model = Model("m", "scripted", "m")
    costs = Costs(
        PriceList({}), None, lambda: meter, tariff, now=lambda: datetime(2026, 1, 1, tzinfo=UTC)
    )
    return costs.account(
        ScriptedProvider({"m": [ANSWER]}, clock).open(model),
        model,
        endpoint,
        REQUEST,
        progress=Progress(),
        ask=lambda session: ask(
            session,
            REQUEST,
            patience=Patience(60, 60),
            policy=RetryPolicy(),
            clock=clock,
            progress=Progress(),
            attention=nullcontext(),
        ),
    )


def test_the_energy_from_the_request_to_the_end_is_told_in_joules() -> None:
    clock = FakeClock()
    recording = generate(clock, GpuAt300Watts(clock), Endpoint(HOME, "local", 1))
    assert recording.details == {"energy_j": pytest.approx(750.0)}
    assert recording.cost_usd is None


def test_a_tariff_makes_a_cost_of_it() -> None:
    """1 kWh is 3.6 MJ."""
    clock = FakeClock()
    recording = generate(clock, GpuAt300Watts(clock), Endpoint(HOME, "local", 1), tariff=0.30)
    assert recording.details["energy_cost"] == pytest.approx(750.0 / 3.6e6 * 0.30)


@pytest.mark.parametrize(
    ("address", "kind", "concurrency", "metered"),
    [
        (HOME, "local", 1, True),
        ("http://localhost:8000/v1", "local", 1, True),
        ("http://[::1]:8000/v1", "local", 1, True),
        ("http://192.168.1.7:11434", "local", 1, False),
        ("http://gpu-box:11434", "local", 1, False),
        (HOME, "local", 2, False),
        (HOME, "cloud", 1, False),
        ("https://api.openai.com/v1", "cloud", 4, False),
        ("demo", "offline", 1, False),
    ],
)
def test_only_one_request_at_a_time_on_this_very_machine_is_metered(
    address: str,
    kind: Kind,
    concurrency: int,
    metered: bool,  # noqa: FBT001  # a parameter
) -> None:
    clock = FakeClock()
    meter = GpuAt300Watts(clock)
    endpoint = Endpoint(address, kind, concurrency)
    assert can_be_metered(endpoint) is metered
    assert ("energy_j" in generate(clock, meter, endpoint).details) is metered
    assert (meter.readings > 0) is metered


@pytest.mark.parametrize(
    "readings", [(5.0, 5.0), (5.0, 1.0), (None, 5.0), (5.0, None)],
    ids=["stands still", "was reset", "no first reading", "no last reading"],
)  # fmt: skip
def test_a_counter_that_makes_no_sense_gives_no_figure(
    readings: tuple[float | None, float | None],
) -> None:
    recording = generate(FakeClock(), BrokenMeter(readings), Endpoint(HOME, "local", 1))
    assert "energy_j" not in recording.details


def test_without_a_meter_nothing_is_told() -> None:
    assert generate(FakeClock(), None, Endpoint(HOME, "local", 1), tariff=0.3).details == {}


class PlayedLibrary:
    """NVML's functions, as its documentation gives them: 0 is success, results by reference."""

    def __init__(self, counters_mj: Sequence[int | None], memory_bytes: int = 0) -> None:
        self._counters_mj = counters_mj
        self._memory_bytes = memory_bytes

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802  # the library's name
        count._obj.value = len(self._counters_mj)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, device: Any) -> int:  # noqa: N802
        device._obj.value = index + 1
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, device: Any, energy: Any) -> int:  # noqa: N802
        counter = self._counters_mj[device.value - 1]
        energy._obj.value = counter or 0
        return 3 if counter is None else 0  # 3 is NVML_ERROR_NOT_SUPPORTED

    def nvmlDeviceGetMemoryInfo(self, device: Any, memory: Any) -> int:  # noqa: N802
        memory._obj[0] = self._memory_bytes
        return 0

    def nvmlDeviceGetName(self, device: Any, name: Any, length: int) -> int:  # noqa: N802
        name.value = b"GeForce RTX 5090"
        return 0


def test_the_counters_of_all_gpus_are_added_up() -> None:
    assert NvidiaDriver(PlayedLibrary([1_500, 2_000])).read_joules() == 3.5


def test_a_gpu_without_a_counter_makes_the_sum_unknown() -> None:
    assert NvidiaDriver(PlayedLibrary([1_500, None])).read_joules() is None


def test_a_driver_without_a_gpu_has_nothing_to_read() -> None:
    driver = NvidiaDriver(PlayedLibrary([]))
    assert (driver.read_joules(), list(driver.list_gpus())) == (None, [])


def test_each_gpu_is_listed_with_its_memory() -> None:
    driver = NvidiaDriver(PlayedLibrary([0], memory_bytes=34_190_917_632))
    assert driver.list_gpus() == [Gpu("GeForce RTX 5090", 34_190_917_632)]
