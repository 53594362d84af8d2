"""Round 1: a todo app for the command line, from one prompt.

Run it with `pytest --pyargs pytest_llmbench.suites.round1 --llm-models=…`. What is asked and how
it is judged stands in `docs/reference/round1.md`.
"""
