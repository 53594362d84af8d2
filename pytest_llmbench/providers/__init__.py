"""The servers that models are asked from, each behind the same small interface."""
