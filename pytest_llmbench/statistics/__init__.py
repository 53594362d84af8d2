"""How sure one may be: rates, scores, differences, times and costs from a few samples.

Pure functions over plain numbers, in the standard library alone. Each interval has a level of
95%; None stands where no interval can be defended. docs/explanation/statistics.md has the
formulas, their sources and the coverage that was measured.
"""
