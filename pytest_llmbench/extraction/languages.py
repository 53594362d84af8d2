"""The languages of code blocks: what their tags mean, and which files hold them."""

from __future__ import annotations

import posixpath

PYTHON = "python"
PYTHON_SESSION = "python session"
MARKDOWN = "markdown"
TEXT = "text"
SHELL = "shell"
JSON = "json"
DIFF = "diff"

# Each language with its tags, and with the extensions of its files.
_LANGUAGES: dict[str, tuple[str, str]] = {
    PYTHON: ("python py python2 python3 py2 py3 ipython ipython3 pyi jupyter", "py pyi pyw"),
    PYTHON_SESSION: ("pycon python-repl python-console py-repl doctest", ""),
    MARKDOWN: ("markdown md mdx gfm", "md markdown mdx"),
    TEXT: ("text txt plaintext plain output out stdout stderr log logs none tree ascii", "txt log"),
    SHELL: (
        "bash sh shell zsh fish console terminal shell-session shellsession sh-session cmd bat"
        " batch powershell ps1 pwsh dos",
        "sh bash zsh fish bat cmd ps1",
    ),
    JSON: ("json jsonc json5 jsonl ndjson", "json jsonc json5 jsonl ipynb"),
    DIFF: ("diff patch udiff", "diff patch"),
    "javascript": ("javascript js jsx node mjs cjs ecmascript", "js jsx mjs cjs"),
    "typescript": ("typescript ts tsx", "ts tsx mts cts"),
    "html": ("html htm xhtml jinja jinja2 html+jinja django", "html htm xhtml j2 jinja jinja2"),
    "css": ("css scss sass less", "css scss sass less"),
    "vue": ("vue", "vue"),
    "svelte": ("svelte", "svelte"),
    "go": ("go golang", "go"),
    "rust": ("rust rs", "rs"),
    "c": ("c h", "c h"),
    "c++": ("cpp c++ cxx cc hpp", "cpp cc cxx hpp hh hxx"),
    "c#": ("csharp cs c# dotnet", "cs"),
    "java": ("java", "java"),
    "kotlin": ("kotlin kt kts", "kt kts"),
    "swift": ("swift", "swift"),
    "ruby": ("ruby rb", "rb"),
    "php": ("php", "php"),
    "perl": ("perl pl", "pl pm"),
    "lua": ("lua", "lua"),
    "r": ("r rscript", "r"),
    "julia": ("julia jl", "jl"),
    "scala": ("scala sc", "scala"),
    "haskell": ("haskell hs", "hs"),
    "elixir": ("elixir ex exs", "ex exs"),
    "erlang": ("erlang erl", "erl"),
    "clojure": ("clojure clj", "clj cljs"),
    "lisp": ("lisp scheme racket elisp", "lisp scm rkt el"),
    "ocaml": ("ocaml ml", "ml mli"),
    "f#": ("fsharp fs f#", "fs"),
    "dart": ("dart", "dart"),
    "zig": ("zig", "zig"),
    "nim": ("nim", "nim"),
    "fortran": ("fortran f90", "f90 f95 f"),
    "pascal": ("pascal delphi", "pas"),
    "assembly": ("asm assembly nasm x86asm", "asm s"),
    "cython": ("cython pyx", "pyx pxd"),
    "sql": ("sql sqlite sqlite3 postgresql postgres mysql plsql", "sql"),
    "yaml": ("yaml yml", "yaml yml"),
    "toml": ("toml", "toml"),
    "ini": ("ini cfg conf properties dotenv env", "ini cfg conf properties env"),
    "xml": ("xml svg xsd", "xml svg xsd"),
    "csv": ("csv tsv", "csv tsv"),
    "dockerfile": ("dockerfile docker containerfile", ""),
    "makefile": ("makefile make mk", "mk"),
    "cmake": ("cmake", "cmake"),
    "nginx": ("nginx", ""),
    "graphql": ("graphql gql", "graphql gql"),
    "protobuf": ("protobuf proto", "proto"),
    "terraform": ("terraform hcl tf", "tf hcl"),
    "latex": ("latex tex", "tex"),
    "rst": ("rst restructuredtext", "rst"),
    "mermaid": ("mermaid", "mmd"),
    "groovy": ("groovy gradle", "groovy gradle"),
    "regex": ("regex regexp", ""),
    "math": ("math", ""),
    "pseudocode": ("pseudocode pseudo", ""),
    "http": ("http", "http"),
}

_BY_TAG = {tag: name for name, (tags, _) in _LANGUAGES.items() for tag in tags.split()}
_BY_EXTENSION = {ext: name for name, (_, exts) in _LANGUAGES.items() for ext in exts.split()}
_BY_FILE_NAME = {
    "makefile": "makefile",
    "gnumakefile": "makefile",
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "cmakelists.txt": "cmake",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "jenkinsfile": "groovy",
}

# Languages whose name may stand alone on a block's first line, where the tag should be.
NAMED_ON_A_LINE = frozenset(
    {"python", "python3", "py", "javascript", "js", "typescript", "java", "html", "css", "bash"}
    | {"json", "yaml", "sql", "rust", "kotlin", "swift", "ruby", "php", "c++", "cpp", "c#"}
    | {"csharp", "golang"}
)

# Blocks in these are shown to the reader; they are no program unless the answer names a file.
NEVER_PROGRAMS = frozenset({SHELL, TEXT, JSON, DIFF, MARKDOWN, "pseudocode", "math", "mermaid"})


def language_of_tag(tag: str) -> str | None:
    """The language that a block's tag means, in any case; None when it means none."""
    tag = tag.lower().strip(".,:;{}()[]")
    found = _BY_TAG.get(tag)
    if found is None and tag.startswith("python"):
        version = tag.removeprefix("python").lstrip("-_ v")
        if version.replace(".", "").isdigit():
            return PYTHON
    return found


def language_of_path(path: str) -> str | None:
    """The language that a file's name means; None when it means none."""
    name = posixpath.basename(path.replace("\\", "/")).lower()
    if name in _BY_FILE_NAME:
        return _BY_FILE_NAME[name]
    return _BY_EXTENSION.get(name.rpartition(".")[2]) if "." in name else None


def can_hold(path: str, language: str | None) -> bool:
    """Whether a block of this language may be the file that a line near it names.

    `python app.py` in a shell block below the line `app.py` is no such file.
    """
    expected = language_of_path(path)
    if language is None or expected == language or {expected, language} in _INTERCHANGEABLE:
        return True
    if language in (SHELL, DIFF):
        return False
    if expected in (None, TEXT, MARKDOWN):
        return language != PYTHON or expected is None
    return language == TEXT and expected not in (PYTHON, SHELL)


_INTERCHANGEABLE = (
    {"c", "c++"},
    {"javascript", "typescript"},
    {"javascript", JSON},
    {"html", "xml"},
    {"ini", "toml"},
    {"ini", SHELL},
    {"makefile", SHELL},
    {"dockerfile", SHELL},
    {PYTHON, "cython"},
)
