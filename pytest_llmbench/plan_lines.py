"""A plan as lines of text, 80 columns wide at most."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from pytest_llmbench.budget import show_usd
from pytest_llmbench.plan import GUESSED_OUTPUT_TOKENS, Expected, Memory, ModelPlan, time_of_run

WIDTH = 80
NAME_WIDTH = 9
LABEL_WIDTH = 30
CELL_WIDTHS = (7, 7, 10, 10, 10)
MINUTE_S = 60
HOUR_S = 3600


def plan_lines(
    plans: Sequence[ModelPlan], *, cap_usd: float | None, timeout_s: float
) -> Iterator[str]:
    """A part for each model, a table of all of them, and what is missing."""
    for plan in plans:
        yield f"{plan.model.label} = {plan.model.spec}"
        for name, text in _describe(plan, timeout_s):
            yield from _row(name, text)
        yield ""
    yield from _table(plans)
    for warning in _warn_of_cap(plans, cap_usd):
        yield from _wrap(warning, "", "  ")
    yield ""
    troubled = [(plan.model.label, each) for plan in plans for each in plan.missing]
    if troubled:
        yield f"Missing ({len(troubled)}):"
        for label, text in troubled:
            yield from _wrap(f"{label}: {text}", "  ", "    ")
    else:
        yield "Nothing is missing, as far as this can be seen from here."


def _row(name: str, text: str) -> list[str]:
    return _wrap(text, f"  {name:<{NAME_WIDTH}} ", " " * (NAME_WIDTH + 3))


def _wrap(text: str, first: str, further: str) -> list[str]:
    """Lines that keep addresses, paths and commands whole, however long they are."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _describe(plan: ModelPlan, timeout_s: float) -> Iterator[tuple[str, str]]:
    if plan.endpoint.kind == "offline":
        yield "answers", f"{_count(plan.ready, 'answer')} there already; no server, no key, no cost"
    else:
        seen = "" if plan.missing else ", reachable"
        yield "server", f"{plan.endpoint.address} ({plan.endpoint.kind}){seen}"
    for missing in plan.missing:
        yield "MISSING", missing
    if plan.endpoint.kind != "offline":
        yield from _describe_model(plan)
        attempts = f", up to {plan.attempts:,} attempts at each" if plan.attempts > 1 else ""
        yield "answers", f"{plan.to_ask:,} to ask for{attempts}; {plan.ready:,} from recordings"
        if plan.to_ask:
            yield from _describe_expected(plan, plan.expected, timeout_s)


def _describe_model(plan: ModelPlan) -> Iterator[tuple[str, str]]:
    facts = plan.facts
    if not plan.missing:
        key = {True: "found", False: "none is sent", None: "not told"}[facts.has_key]
        yield "key", key
        there = "there" if facts.listed else "the server does not tell whether it is there"
        size = None if facts.size_bytes is None else _gib(facts.size_bytes)
        yield "model", ", ".join(filter(None, (there, facts.quantization, size)))
    if plan.memory is not None:
        yield "memory", _describe_memory(plan.memory, plan)
    yield "context", _describe_context(plan)


def _describe_memory(memory: Memory, plan: ModelPlan) -> str:
    facts = plan.facts
    if memory.cache_bytes is None:
        cache = "its context, of which the server tells too little"
    else:
        cache = f"up to {_gib(memory.cache_bytes)} for {facts.context_length:,} tokens of context"
    need = (
        f"about {_gib(memory.need_bytes)} (estimate): {_gib(memory.weights_bytes)} weights, "
        f"{cache}, about 1 GiB else"
    )
    if memory.gpu_bytes is None:
        verdict = "the memory of its GPU is not known"
    else:
        remedy = "choose a smaller quantization or a smaller context"
        verdict = (
            f"of {_gib(memory.gpu_bytes)} on the GPU: "
            + {
                True: "fits",
                None: f"may not fit; if not, {remedy}",
                False: f"does not fit, and part of it would run on the CPU; {remedy}",
            }[memory.fits]
        )
    if facts.loaded_bytes and facts.loaded_gpu_bytes is not None:
        share = facts.loaded_gpu_bytes / facts.loaded_bytes
        verdict += (
            f"; loaded now with {_gib(facts.loaded_bytes)}, {share:.0%} of it in the GPU's memory"
        )
    return f"{need}; {verdict}"


def _describe_context(plan: ModelPlan) -> str:
    facts = plan.facts
    context = facts.context_length or facts.longest_context
    need = f"prompt and answer need up to {plan.context_needed:,} tokens"
    need += f" (max_tokens {plan.max_tokens:,})"
    if context is None and plan.missing:
        text = need
    elif context is None:
        text = f"{need}; the server does not tell how many it takes"
    elif context < plan.context_needed:
        text = f"{need}, and the context holds {context:,}: a long answer would not fit"
    else:
        text = f"{need}; the context holds {context:,}"
    if facts.longest_answer is not None and facts.longest_answer < plan.max_tokens:
        text += f"; the server ends every answer at {facts.longest_answer:,}"
    return text


def _describe_expected(
    plan: ModelPlan, expected: Expected, timeout_s: float
) -> Iterator[tuple[str, str]]:
    past = expected.past
    if past is not None and past.output_tokens is not None:
        basis = f"by {_count(past.answers, 'recording')} of it"
    else:
        guess = min(GUESSED_OUTPUT_TOKENS, plan.max_tokens)
        basis = f"a guess of {guess:,} an answer; thinking takes several times that"
    yield (
        "tokens",
        f"input {expected.fewest_input_tokens:,} to {expected.input_tokens.at_most or 0:,.0f}; "
        f"output about {expected.output_tokens.about or 0:,.0f} ({basis}), "
        f"at most {expected.output_tokens.at_most or 0:,.0f}",
    )
    yield "cost", _describe_cost(plan, expected)
    if expected.time_s is None or past is None:
        yield (
            "time",
            (
                "not known, as there is no recording of it; "
                f"--llm-timeout allows {_time(timeout_s)} for each answer"
            ),
        )
    else:
        yield "time", f"about {_time(expected.time_s)} (by {_count(past.answers, 'recording')})"


def _describe_cost(plan: ModelPlan, expected: Expected) -> str:
    about, at_most = expected.cost_usd.about, expected.cost_usd.at_most
    if about is not None and at_most is not None:
        return (
            f"about {show_usd(about)}, at most {show_usd(at_most)} "
            f"(estimate; prices: {expected.price_source})"
        )
    if plan.endpoint.kind == "local":
        return "nobody charges for it"
    return "not known; give its price in [tool.llmbench.prices]"


def _table(plans: Sequence[ModelPlan]) -> Iterator[str]:
    width = min(max(len(plan.model.label) for plan in plans), LABEL_WIDTH)
    yield _line("model", ("to ask", "there", "cost about", "at most", "time about"), width)
    for plan in plans:
        label, expected = plan.model.label, plan.expected
        if len(label) > width:
            yield label
            label = ""
        cells = (
            f"{plan.to_ask:,}",
            f"{plan.ready:,}",
            _usd(plan, expected.cost_usd.about),
            _usd(plan, expected.cost_usd.at_most),
            "-" if not plan.to_ask else _time(expected.time_s),
        )
        yield _line(label, cells, width)
    if len(plans) > 1:
        cells = (
            f"{sum(plan.to_ask for plan in plans):,}",
            f"{sum(plan.ready for plan in plans):,}",
            _sum(plans, most=False),
            _sum(plans, most=True),
            _time(time_of_run(plans)),
        )
        yield _line("all", cells, width)


def _line(label: str, cells: Sequence[str], width: int) -> str:
    figures = [f"{cell:>{size}}" for cell, size in zip(cells, CELL_WIDTHS, strict=True)]
    return " ".join((f"{label:<{width}}", *figures))


def _is_charged(plan: ModelPlan) -> bool:
    """Whether somebody would be paid for it, known or not."""
    known = plan.expected.cost_usd.about is not None
    return bool(plan.to_ask) and (known or plan.endpoint.kind == "cloud")


def _usd(plan: ModelPlan, usd: float | None) -> str:
    if not _is_charged(plan):
        return "-"
    return "unknown" if usd is None else show_usd(usd)


def _sum(plans: Sequence[ModelPlan], *, most: bool) -> str:
    costs = [plan.expected.cost_usd for plan in plans if _is_charged(plan)]
    known = [each.at_most if most else each.about for each in costs]
    if not known:
        return "-"
    if None in known:
        return "unknown"
    return show_usd(sum(usd or 0.0 for usd in known))


def _warn_of_cap(plans: Sequence[ModelPlan], cap_usd: float | None) -> Iterator[str]:
    if cap_usd is None:
        return
    most_usd = sum(plan.expected.cost_usd.at_most or 0.0 for plan in plans)
    cap = f"The cap of {show_usd(cap_usd)} (llm_max_cost)"
    unknown = [
        plan.model.label
        for plan in plans
        if _is_charged(plan) and plan.expected.cost_usd.at_most is None
    ]
    if unknown:
        yield f"{cap} lets nothing be asked of {', '.join(unknown)}: the price is not known."
    if most_usd > cap_usd:
        yield f"{cap} may end the run early: it could cost up to {show_usd(most_usd)}."


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:.1f} h"
