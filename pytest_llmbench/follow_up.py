"""The next question after an answer that lost points, as a person would put it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.long_texts import cut_middle
from pytest_llmbench.results import Check
from pytest_llmbench.safe_text import escape_controls

LARGEST_LIMIT = 65_536
"""No answer is given more tokens than this for having been cut off; the user may give more."""
MAX_COMPLAINT_CHARS = 6_000
MAX_CHECK_CHARS = 600
OPENING = "Thank you. I tried it, and this does not work yet:"
CLOSING = (
    "Please correct it. Answer in the same form as before, with the complete code and not only "
    "the changes."
)
NO_ANSWER = "(no answer)"


def ask_for_more(request: Request) -> Request | None:
    """The same question with twice the room, after an answer that was cut off.

    None when the answer had as much room as there is.
    """
    if request.max_tokens >= LARGEST_LIMIT:
        return None
    return replace(request, max_tokens=min(2 * request.max_tokens, LARGEST_LIMIT))


def ask_to_correct(
    request: Request, answer: str, failed: Sequence[Check], unchecked: Sequence[str]
) -> Request:
    """The conversation so far, the answer, and what was wrong with it.

    `unchecked` names the categories in which no check ran.
    """
    heard = answer.encode(errors="replace").decode()  # servers refuse half characters
    turns = (
        Message("assistant", heard if heard.strip() else NO_ANSWER),
        Message("user", complain(failed, unchecked)),
    )
    return replace(request, messages=(*request.messages, *turns))


def complain(failed: Sequence[Check], unchecked: Sequence[str]) -> str:
    """What failed and how, in plain words, of bounded length."""
    points = [_tell(check) for check in failed]
    points += [f"- {name}: nothing of this could be tried" for name in unchecked]
    shown: list[str] = []
    room = MAX_COMPLAINT_CHARS
    for point in points:
        room -= len(point)
        if room < 0 and shown:
            shown.append(f"- and {len(points) - len(shown)} more")
            break
        shown.append(point)
    return "\n".join([OPENING, "", *shown, "", CLOSING])


def _tell(check: Check) -> str:
    text = cut_middle(escape_controls(check.message or "failed").strip(), MAX_CHECK_CHARS)
    name = escape_controls(f"{check.category}: {check.name}")
    return "\n  ".join([f"- {name}:", *text.splitlines()])
