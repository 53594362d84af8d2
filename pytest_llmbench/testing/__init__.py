"""For the tests of extensions: conformance suites, and stand-ins for what costs time or money."""
