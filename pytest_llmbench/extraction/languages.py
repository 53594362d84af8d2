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

# language: (tags, extensions)
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

KNOWN_BARE_NAMES = frozenset(
    "makefile gnumakefile dockerfile containerfile gemfile rakefile jenkinsfile procfile pipfile"
    " vagrantfile brewfile justfile caddyfile license licence readme changelog authors notice"
    " codeowners .gitignore .gitattributes .dockerignore .editorconfig .env .flake8 .pylintrc"
    " .coveragerc .npmrc .nvmrc .babelrc .eslintrc .prettierrc .bashrc .zshrc .profile"
    " .python-version .npmignore .gitkeep .keep .htaccess py.typed".split()
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
    """Whether a block of this language may be what an answer calls by this name."""
    if language is None:
        return True
    expected = language_of_path(path)
    if expected is None or expected == language:
        return expected is not None or language not in (SHELL, DIFF)
    if language == TEXT:
        return expected not in (PYTHON, SHELL)
    return (
        {expected, language} in _INTERCHANGEABLE
        or expected in (TEXT, MARKDOWN)
        and (language not in (SHELL, DIFF, PYTHON))
    )


_INTERCHANGEABLE = (
    {"c", "c++"},
    {"javascript", "typescript"},
    {"html", "xml"},
    {"javascript", JSON},
    {"ini", "toml"},
    {"makefile", SHELL},
    {"python", "cython"},
)
