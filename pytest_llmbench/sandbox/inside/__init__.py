"""What runs beside a foreign program, in its box: starts it, watches it, ends it, keeps its files.

One server process serves one box. Each box costs the start of such a server, so these modules
import little: no `dataclasses`, no `typing`, no `json`, no `socket` on the way of a box
with namespaces. They import nothing of the rest of the package, which is not visible there.
"""
