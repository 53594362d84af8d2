"""The suites that ship."""
