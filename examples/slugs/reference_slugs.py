"""Slugs of titles."""

import re


def slugify(title: str) -> str:
    """The title in lower case, its words joined by hyphens."""
    return re.sub(r"[\W_]+", "-", title.lower()).strip("-")
