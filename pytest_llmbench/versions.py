"""The versions of what a figure may depend on."""

from __future__ import annotations

import importlib.metadata

PACKAGES = (
    "pytest-llmbench",
    "pytest",
    "pytest-xdist",
    "pytest-timeout",
    "pytest-json-report",
    "anthropic",
    "ollama",
    "openai",
)


def find_versions() -> dict[str, str]:
    """Package → version, of those that are installed."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
