"""Where foreign programs run."""
