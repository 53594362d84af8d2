"""From a prompt to a timed answer."""
