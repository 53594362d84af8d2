import pytest

pytest_plugins = ["pytester"]


def pytest_configure(config: pytest.Config) -> None:
    """Let no example fail for its time: a busy machine may stop a process for 200 ms."""
    if config.pluginmanager.hasplugin("hypothesispytest"):
        from hypothesis import settings  # noqa: PLC0415  # not where plugins are off

        settings.register_profile("unhurried", settings(), deadline=None)
        settings.load_profile("unhurried")
