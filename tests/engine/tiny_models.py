"""Tiny GGUF models that a real engine runs, and whose every answer is known.

Such a model is a table: which token follows which. A prompt that ends with a script's name is
answered with that script, token by token; any other prompt gets an empty answer. It works
without attention, because the prompt's last token alone says what comes first, and because no
two places of the scripts share a token, so that each token alone says what comes next.

    embedding   each token of a script is a one-hot vector; all others share the first dimension
    layers      one, of zeros: the engine wants one, and it changes nothing
    output      the row of a token holds, for each token before it, how likely it follows
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import gguf
    import numpy as np

CERTAIN = 50.0
"""The logit of what follows; all else has 0. At any sane temperature nothing else is drawn."""

UNKNOWN, BEGIN, END = range(3)
HEAD_SIZE = 32
FEED_FORWARD = 32

TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A place where the engine draws one of several texts."""

    options: tuple[tuple[float, str], ...]
    """(probability, text); the probabilities add up to 1."""


Script: TypeAlias = Sequence[str | Choice]


@dataclass(slots=True)
class _Table:
    """The tokens, and the logit of each that may follow another."""

    tokens: list[str] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    follows: dict[tuple[int, int], float] = field(default_factory=dict)
    """(token, next token) → logit."""

    def add(self, token: str, kind: int) -> int:
        if token in self.tokens:
            raise ValueError(f"{token!r} is a token already")
        self.tokens.append(token)
        self.types.append(kind)
        return len(self.tokens) - 1

    def cut(self, text: str, kind: int) -> list[int]:
        """Fresh tokens that make up `text`, of two characters or more but for the last."""
        pieces: list[str] = []
        taken = set(self.tokens)
        piece = ""
        for character in text.replace(" ", "\u2581"):
            piece += character
            if len(piece) > 1 and piece not in taken:
                pieces.append(piece)
                taken.add(piece)
                piece = ""
        while piece in taken:  # the tail: join it to what stands before
            if not pieces:
                raise ValueError(f"{text!r} is too short to be told apart")
            piece = pieces.pop() + piece
        if piece:
            pieces.append(piece)
        return [self.add(each, kind) for each in pieces]

    def link(self, before: Iterable[int], after: int, logit: float) -> None:
        for token in before:
            self.follows[token, after] = logit


def write_model(
    path: Path, scripts: Mapping[str, Script], *, context: int = 2048
) -> dict[str, int]:
    """Write a model that knows `scripts`; the number of tokens of each, the end not counted.

    Where a script has a choice, its options count together.
    """
    import gguf  # noqa: PLC0415  # of the dependency group `engine`

    kinds = gguf.TokenType
    table = _Table()
    table.add("<unk>", kinds.UNKNOWN)
    table.add("<s>", kinds.CONTROL)
    table.add("</s>", kinds.CONTROL)
    for byte in range(256):
        table.add(f"<0x{byte:02X}>", kinds.BYTE)
    counts = {}
    for name, script in scripts.items():
        first = table.add(name, kinds.USER_DEFINED)
        counts[name] = _write_script(table, first, script, kinds.NORMAL)
    _write_file(path, table, context)
    return counts


def _write_script(table: _Table, first: int, script: Script, kind: int) -> int:
    ends, count = [first], 0
    for part in script:
        options = part.options if isinstance(part, Choice) else ((1.0, part),)
        new_ends = []
        for probability, text in options:
            tokens = table.cut(text, kind)
            table.link(ends, tokens[0], CERTAIN + math.log(probability))
            for before, after in itertools.pairwise(tokens):
                table.link([before], after, CERTAIN)
            new_ends.append(tokens[-1])
            count += len(tokens)
        ends = new_ends
    table.link(ends, END, CERTAIN)
    return count


def _write_file(path: Path, table: _Table, context: int) -> None:
    import gguf  # noqa: PLC0415  # of the dependency group `engine`
    import numpy as np  # noqa: PLC0415  # of the dependency group `engine`

    sources = sorted({before for before, _ in table.follows})
    place = {token: 1 + n for n, token in enumerate(sources)}
    width = math.ceil((1 + len(sources)) / HEAD_SIZE) * HEAD_SIZE
    scale = math.sqrt(width)  # what the engine's normalization leaves as it is

    embedding = np.zeros((len(table.tokens), width), np.float32)
    embedding[range(len(table.tokens)), [place.get(t, 0) for t in range(len(table.tokens))]] = scale
    output = np.zeros_like(embedding)
    output[END, 0] = CERTAIN / scale
    for (before, after), logit in table.follows.items():
        output[after, place[before]] = logit / scale

    def zeros(rows: int, columns: int) -> np.ndarray:
        return np.zeros((rows, columns), np.float32)

    ones = np.ones(width, np.float32)
    tensors = {
        "token_embd.weight": embedding,
        "output_norm.weight": ones,
        "output.weight": output,
        "blk.0.attn_norm.weight": ones,
        "blk.0.attn_q.weight": zeros(HEAD_SIZE, width),
        "blk.0.attn_k.weight": zeros(HEAD_SIZE, width),
        "blk.0.attn_v.weight": zeros(HEAD_SIZE, width),
        "blk.0.attn_output.weight": zeros(width, HEAD_SIZE),
        "blk.0.ffn_norm.weight": ones,
        "blk.0.ffn_gate.weight": zeros(FEED_FORWARD, width),
        "blk.0.ffn_up.weight": zeros(FEED_FORWARD, width),
        "blk.0.ffn_down.weight": zeros(width, FEED_FORWARD),
    }
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer, table, width, context)
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: gguf.GGUFWriter, table: _Table, width: int, context: int) -> None:
    writer.add_name("scripted")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD_SIZE)
    writer.add_value_length(HEAD_SIZE)
    writer.add_rope_dimension_count(HEAD_SIZE)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(table.tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(table.tokens)
    writer.add_token_scores([-float(n) for n in range(len(table.tokens))])
    writer.add_token_types(table.types)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_add_space_prefix(value=False)
    writer.add_chat_template(TEMPLATE)
