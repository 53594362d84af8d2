"""Answers as models of many makes write them, each with the program that it holds.

The programs are small, so that what counts is seen: the text around them.
"""

from __future__ import annotations

from dataclasses import dataclass

FIB = (
    "def fib(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n"
)
IMPORT = "import functools\n"
BAD = "def fib(n):\n    return fib(n - 1) + fib(n - 2)\n"
USE = "for n in range(5):\n    print(fib(n))\n"
CLI = (
    "import argparse\nimport sqlite3\n\n\ndef fib(n):\n    return n\n\n\n"
    'if __name__ == "__main__":\n    argparse.ArgumentParser().parse_args()\n'
)
DOC = 'def fib(n):\n    """Count.\n\n    ```python\n    fib(3)\n    ```\n    """\n    return n\n'


ROLES = "<|end|><|start|>assistant<|channel|>final<|message|>"
TESTS = "def test_fib():\n    assert fib(0) == 0\n"
SESSION = ">>> def fib(n):\n...     return n\n>>> fib(3)\n3\n"
NOTED = FIB + "\n\n# Write a function that\n"
OUTPUT = "Output:\n\n```\n0\n1\n1\n2\n3\n```"


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer, and what is in it."""

    style: str
    answer: str
    main: str | None


def py(code: str) -> str:
    """A plain block of Python."""
    return f"```python\n{code}```"


def indent(code: str, by: str) -> str:
    """Each line behind a prefix."""
    return "".join(f"{by}{line}\n" if line else f"{by.rstrip()}\n" for line in code.splitlines())


SAMPLES = [
    Sample("only the code", FIB, FIB),
    Sample("only a block", py(FIB), FIB),
    Sample("blank lines around", f"\n\n\n{py(FIB)}\n\n\n", FIB),
    Sample("a blank first, as tokenizers leave it", f" {py(FIB)}", FIB),
    Sample("polite", f"Certainly! Here's the function:\n\n{py(FIB)}\n\nI hope this helps! 😊", FIB),
    Sample(
        "explained at length",
        f"## Approach\n\nIterate.\n\n## Code\n\n{py(FIB)}\n\n## Cost\n\nO(n).",
        FIB,
    ),
    Sample("usage after", f"{py(FIB)}\n\nUsage:\n\n{py(USE)}\n\n{OUTPUT}", FIB),
    Sample("usage in the block", py(FIB + "\n" + USE), f"{FIB}\n{USE}"),
    Sample("install first", f"```bash\npip install numpy\n```\n\nThen:\n\n{py(FIB)}", FIB),
    Sample("an import alone first", f"You need:\n{py(IMPORT)}\nCode:\n{py(FIB)}", FIB),
    Sample("untagged", f"Here:\n\n```\n{FIB}```\n\nDone.", FIB),
    Sample("untagged, output first", f"It prints:\n```\n0 1 1 2\n```\nwith\n```\n{FIB}```", FIB),
    Sample("capital tag", f"```Python\n{FIB}```", FIB),
    Sample("tag with a version", f"```python3\n{FIB}```", FIB),
    Sample("tag on the first line", f"```\nPython\n{FIB}```", FIB),
    Sample("tag glued to the code", f"```\npython {FIB}```", FIB),
    Sample("tag of another language", f"Here is one way:\n```less\n{FIB}```\nDone.", FIB),
    Sample("curly tag", f"```{{.python .numberLines}}\n{FIB}```", FIB),
    Sample("tildes", f"~~~python\n{FIB}~~~", FIB),
    Sample("four backticks", f"````python\n{FIB}````", FIB),
    Sample("in a list", f"1. Write it:\n\n{indent(py(FIB), '   ')}\n2. Run it.", FIB),
    Sample("bullet on the fence", f"- ```python\n{indent(FIB, '  ')}  ```\n- Done.", FIB),
    Sample("in a quote", f"As asked:\n\n{indent(py(FIB), '> ')}\nDone.", FIB),
    Sample("indented by Markdown", f"The code:\n\n{indent(FIB, '    ')}\nDone.", FIB),
    Sample("opener glued to prose", f"Here is it:```python\n{FIB}```\nDone.", FIB),
    Sample("closer glued to code", f"```python\n{FIB.rstrip()}```\nDone.", FIB),
    Sample("chat on the closer", f"{py(FIB)} This runs in linear time.\nDone.", FIB),
    Sample("two fences at the end", f"{py(FIB)}\n```\n", FIB),
    Sample("no closer", f"Sure.\n```python\n{FIB}", FIB),
    Sample(
        "no closer, then prose", f"```python\n{FIB}\nThis function counts up to the given n.\n", FIB
    ),
    Sample("no opener", f"{FIB}```\n\nThis function counts.", FIB),
    Sample("no opener, chat before", f"Sure, here it is:\n\n{FIB}```\nDone.", FIB),
    Sample("no fences, chat before", f"Here's the function you wanted:\n\n{FIB}", FIB),
    Sample(
        "no fences, chat after",
        f"{FIB}\nThis function counts up to n.\n\nExample: fib(3) is 2.",
        FIB,
    ),
    Sample("no fences, a heading after", f"{FIB}\nExplanation\n\nIt counts.", FIB),
    Sample("no fences, repeated tasks", NOTED, NOTED),
    Sample("session", f"```pycon\n{SESSION}```", "def fib(n):\n    return n\nfib(3)\n"),
    Sample("docstring with fences", f"Here:\n{py(DOC)}\nDone.", DOC),
    Sample("the whole answer in Markdown", f"```markdown\n# fib\n\n{py(FIB)}\n\nDone.\n```", FIB),
    Sample("thinking", f"<think>\nMaybe\n{py(BAD)}\nNo.\n</think>\n\n{py(FIB)}", FIB),
    Sample("thinking, opener eaten", f"Let me see.\n{py(BAD)}\nNo.\n</think>\n\n{py(FIB)}", FIB),
    Sample("thinking with an open fence", f"<think>\n```python\n{BAD}\n</think>\n{py(FIB)}", FIB),
    Sample("thinking, then bare code", f"<think>\nEasy.\n</think>\n\n{FIB}", FIB),
    Sample("thinking in brackets", f"[THINK]Hm {py(BAD)}\n[/THINK]{py(FIB)}", FIB),
    Sample("thinking of another make", f"<|channel|>analysis<|message|>Hm{ROLES}{py(FIB)}", FIB),
    Sample("thinking, never done", f"<think>\nMaybe\n{py(BAD)}\nBut wait", None),
    Sample("thinking aloud", f"I'd try\n{py(BAD)}\nWait, that never ends. So:\n{py(FIB)}", FIB),
    Sample("draft and final", f"### Draft\n{py(BAD)}\n### Final version\n{py(FIB)}", FIB),
    Sample("correction", f"{py(BAD)}\n\nThat recurses forever. Corrected:\n\n{py(FIB)}", FIB),
    Sample("two ways", f"Loop:\n{py(FIB)}\nRecursion:\n{py(BAD)}\nBoth are correct.", FIB),
    Sample("step by step", f"Step 1:\n{py(FIB[:25])}\nStep 2:\n{py(FIB)}", FIB),
    Sample("tests first", f"Tests:\n{py(TESTS)}\n{py(FIB)}", FIB),
    Sample("end token", f"{py(FIB)}<|im_end|>\n<|im_start|>user\nAnother\n{py(BAD)}", FIB),
    Sample("end token, bare code", f"{FIB.rstrip()}</s>", FIB),
    Sample("next instruction", f"{py(FIB)}\n\n### Instruction:\nRevised:\n{py(BAD)}", FIB),
    Sample("template before", f"### Response:\n{py(FIB)}", FIB),
    Sample("role before", f"assistant\n\n{py(FIB)}", FIB),
    Sample("conversation before", f"USER: Write fib.\nASSISTANT: Sure.\n{py(FIB)}", FIB),
    Sample(
        "tags of brackets", f"[PYTHON]\n{FIB}[/PYTHON]\n[TESTS]\nassert fib(0) == 0\n[/TESTS]", FIB
    ),
    Sample(
        "HTML",
        "<pre><code>def fib(n):\n    return n &lt; 2\n</code></pre>",
        "def fib(n):\n    return n < 2\n",
    ),
    Sample("Windows", f"Here:\n{py(FIB)}\nDone.\n".replace("\n", "\r\n"), FIB),
    Sample("terminal colours", f"\x1b[1mHere:\x1b[0m\n{py(FIB)}", FIB),
    Sample("byte order mark", f"\ufeff{py(FIB)}", FIB),
    Sample(
        "its own file name", f"**fibonacci.py**\n\n{py(FIB)}\n\n**requirements.txt**\n```\n```", FIB
    ),
    Sample("a name in a comment", py(f"# fibonacci.py\n{FIB}"), f"# fibonacci.py\n{FIB}"),
    Sample(
        "a whole program",
        f"Save it and run it.\n\n{py(CLI)}\n\n```bash\npython todo.py add x\n```",
        CLI,
    ),
    Sample("a tree first", f"```\nfib/\n├── fib.py\n└── README.md\n```\n\n{py(FIB)}", FIB),
    Sample(
        "line numbers",
        "1. def fib(n):\n2.     return n\n\nIt counts.",
        "def fib(n):\n    return n\n",
    ),
    Sample("broken code", py("def fib(n)\n    return n\n"), "def fib(n)\n    return n\n"),
    Sample("old Python", py('def fib(n):\n    print "n"\n'), 'def fib(n):\n    print "n"\n'),
    Sample("refusal", "I'm sorry, but I can't help with that request.", None),
    Sample("an answer in words", "Add the two numbers before it. Start with 0 and 1.", None),
    Sample("a number", "42", None),
    Sample("nothing", "", None),
]
