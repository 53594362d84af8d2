"""Where the answer begins and ends: what chat templates leave before and after it."""

from __future__ import annotations

import re

from pytest_llmbench.extraction.text import is_quoted

_END_TOKEN = re.compile(
    r"<\|(?:im_end|im_start|endoftext|end_of_text|eot_id|eom_id|end|end_of_turn|return|call|eos"
    r"|endofprompt|user|system|start_header_id|END_OF_TURN_TOKEN|END_RESPONSE|EOT|diff_marker)\|>"
    r"|</s>|<(?:eos|EOS|eot|EOT|end_of_turn|start_of_turn|end_of_utterance)>|<turn\|>"
    r"|<｜(?:end▁of▁sentence|User)｜>|\[/?INST\]|<step>\s*(?=$|Source:)|<jupyter_(?:output|text|code)>"
)
_NEXT_TURN = re.compile(
    r"\s*(?:\#{2,}\s*(?i:instructions?|human|user)\b"
    r"|\#{2,}\s*(?i:question|input|prompt)\s*\d*\s*:?\s*$"
    r")"
)
_NEXT_SPEAKER = re.compile(r"\s*(?:USER|Human|HUMAN)\s*:")
_OPENING = re.compile(
    r"\s*(?:<s>|<bos>|<\|(?:begin_of_text|startoftext|im_start|im_end|start_header_id|end_header_id"
    r"|assistant|start|message|eot_id|endoftext|end)\|>|<｜(?:begin▁of▁sentence|Assistant)｜>|</s>"
    r"|<start_of_turn>|\[/INST\]|(?i:assistant|model)[ \t]*(?=\n|<\|)"
    r"|\#{2,}[ \t]*(?i:response|assistant|answer|output)[ \t]*:?[ \t]*(?=\n)"
    r"|(?:ASSISTANT|Assistant)[ \t]*:|Source: assistant\n(?:Destination: user\n)?)"
)


def strip_opening(text: str) -> str:
    """The text without a chat template's marks for the beginning of the answer."""
    at = 0
    while opening := _OPENING.match(text, at):
        at = opening.end()
    return text[at:]


def find_end(line: str, *, after_code: bool) -> int | None:
    """Where in a line outside all blocks the answer ends; None when it goes on.

    A speaker's name ends only an answer that has had its code: before it, the model repeats
    the conversation that led up to its answer.
    """
    if "<" in line or "[" in line:
        for token in _END_TOKEN.finditer(line):
            if not is_quoted(line, token.start(), token.end()):
                return token.start()
    if _NEXT_TURN.match(line) or (after_code and _NEXT_SPEAKER.match(line)):
        return 0
    return None


def cut_end_token(text: str) -> tuple[str, bool]:
    """What stands before an end-of-text token, and whether there was one."""
    token = _END_TOKEN.search(text)
    return (text, False) if token is None else (text[: token.start()], True)
