"""In which order the tests run."""

from pytest_llmbench.distribution import order_by_lane
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import Endpoint

ENDPOINTS = {
    "file": Endpoint("file", "offline", 1),
    "cloud": Endpoint("cloud", "cloud", 4),
    "wide": Endpoint("rack", "local", 8),
    "gpu-a": Endpoint("gpu", "local", 1),
    "gpu-b": Endpoint("gpu", "local", 1),
    "cpu": Endpoint("cpu", "local", 1),
}


def ordered(labels: list[str]) -> list[str]:
    """Two tests of each model, in the order in which they run."""
    models = [Model(label, "p", label) for label in labels]
    by_label = {model.label: model for model in models}
    tests = [f"{label} {number}" for number in (1, 2) for label in labels]
    return order_by_lane(
        tests,
        lambda test: by_label[test.split()[0]],
        lambda model: ENDPOINTS[model.label],
        models,
    )


def test_what_is_there_first_comes_first() -> None:
    """Answers from files, then servers that answer several at a time, then one by one."""
    assert ordered(["gpu-a", "wide", "cloud", "file"]) == [
        "file 1", "file 2", "wide 1", "cloud 1", "wide 2", "cloud 2", "gpu-a 1", "gpu-a 2",
    ]  # fmt: skip


def test_a_servers_models_are_not_mixed() -> None:
    """Each is loaded once; two servers that work at once take turns."""
    order = ordered(["gpu-a", "gpu-b", "cpu"])
    assert [test for test in order if "gpu" in test] == ["gpu-a 1", "gpu-a 2", "gpu-b 1", "gpu-b 2"]
    assert order.index("cpu 1") < order.index("gpu-b 1")
