"""What all tests share.

The HTTP packages are imported before any test: pytester forgets the modules that a run inside this
process imported, and a package of which a part was forgotten no longer knows its own exceptions.
"""

import httpcore  # noqa: F401
import httpcore2  # noqa: F401
import httpx  # noqa: F401
import httpx2  # noqa: F401
