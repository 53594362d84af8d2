"""One summary, many faces: terminal, JSON, Markdown, CSV, HTML."""
