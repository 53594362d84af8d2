"""A plan: what is known, what is estimated, what is missing."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from pytest_llmbench.energy import Gpu
from pytest_llmbench.follow_up import ask_for_more, ask_to_correct
from pytest_llmbench.generation.ask import GenerationFailed, Progress
from pytest_llmbench.generation.lanes import Answer, Job
from pytest_llmbench.generation.recording import Recording, RecordingError
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.generation.result import Timing, Usage
from pytest_llmbench.models import Model
from pytest_llmbench.plan import Estimate, Memory, ModelPlan, Planner, time_of_run
from pytest_llmbench.plan_lines import plan_lines
from pytest_llmbench.prices import OwnPrice, PriceList
from pytest_llmbench.providers.context import count_most_tokens
from pytest_llmbench.providers.protocol import Endpoint, Facts, Kind, Patience, ProviderError
from pytest_llmbench.results import Check

GIB = 2**30
HOME = Endpoint("http://127.0.0.1:11434", "local", 1)
CLOUD = Endpoint("https://api.example.com", "cloud", 4)
LOCAL_MODEL = Model("gemma4", "ollama", "gemma4:31b")
CLOUD_MODEL = Model("big", "x", "big-1")
RTX_5090 = Gpu("GeForce RTX 5090", 32_607 * 2**20)

GEMMA = Facts(
    has_key=False,
    listed=True,
    quantization="Q4_K_M",
    size_bytes=19_868_000_000,
    cache_bytes_per_token=491_520,
    context_length=20_480,
    longest_context=262_144,
)


class Shelf:
    """Recordings by task; some of them broken."""

    def __init__(
        self, found: Mapping[str, Recording] | None = None, broken: Sequence[str] = ()
    ) -> None:
        self._found = found or {}
        self._broken = broken

    def find(self, job: Job) -> Recording | None:
        if job.request.task in self._broken:
            raise RecordingError(f"{job.request.task}.json cannot be read: it is empty")
        return self._found.get(job.request.task)

    def list_earlier(self, model: Model) -> list[Recording]:  # the same for all models
        del model
        return list(self._found.values())


class Servers:
    """What a look at any server tells; `archive` holds the tasks of an offline model."""

    def __init__(self, tells: Facts | ProviderError, archive: Sequence[str] | None = None) -> None:
        self._tells = tells
        self._archive = archive

    def is_archive(self, model: Model) -> bool:
        del model
        return self._archive is not None

    def answer(self, job: Job, progress: Progress) -> Answer:
        del progress
        task = job.request.task
        if self._archive is None:
            pytest.fail("a plan asks nothing")
        if task not in self._archive:
            fault = ProviderError(f"answers/{task}.md: there is no such file", kind="missing")
            raise GenerationFailed(fault, Recording(text=""))
        return Answer(Recording(text="x"), replayed=True)

    def inspect(self, model: Model, longest: Request, patience: Patience) -> Facts:
        del model, longest, patience
        if isinstance(self._tells, ProviderError):
            raise self._tells
        return self._tells


def job(task: str, model: Model = LOCAL_MODEL, max_tokens: int = 8_192) -> Job:
    request = Request(messages=(Message("user", "ab" * 200),), max_tokens=max_tokens, task=task)
    return Job(task, model, request)


def make_plan(
    tells: Facts | ProviderError = GEMMA,
    *,
    tasks: Sequence[str] = ("a", "b", "c"),
    model: Model = LOCAL_MODEL,
    endpoint: Endpoint = HOME,
    shelf: Shelf | None = None,
    archive: Sequence[str] | None = None,
    own: Mapping[str, OwnPrice] | None = None,
    gpus: Sequence[Gpu] = (RTX_5090,),
    mode: str = "new_episodes",
    attempts: int = 1,
) -> ModelPlan:
    planner = Planner(
        shelf or Shelf(),
        Servers(tells, archive),
        PriceList(own or {}),
        gpus,
        record_mode=mode,
        attempts=attempts,
        now=datetime(2026, 11, 23, tzinfo=UTC),
    )
    return planner.plan(model, endpoint, [job(task, model) for task in tasks])


def lines(*plans: ModelPlan, cap_usd: float | None = None) -> list[str]:
    return list(plan_lines(plans, cap_usd=cap_usd, timeout_s=600.0))


def part(plan: ModelPlan, name: str) -> str:
    """What a plan's text says under a name, unwrapped."""
    told: list[str] = []
    for line in lines(plan):
        if line.startswith(f"  {name:<9} "):
            told.append(line[12:])
        elif told and line.startswith(" " * 12):
            told.append(line.strip())
        elif told:
            break
    return " ".join(told)


PAST = Recording(
    text="x", usage=Usage(input_tokens=100, output_tokens=700), timing=Timing(total_s=12.0)
)


def test_recorded_answers_are_not_asked_for() -> None:
    plan = make_plan(shelf=Shelf({"a": PAST}))
    assert (plan.to_ask, plan.ready, plan.missing) == (2, 1, ())


def test_earlier_answers_tell_how_long_the_next_ones_will_be() -> None:
    plan = make_plan(shelf=Shelf({"a": PAST}))
    assert plan.expected.output_tokens == Estimate(1_400, 2 * 8_192)
    assert plan.expected.time_s == 24.0
    assert part(plan, "time") == "about 24 s (by 1 recording)"
    assert part(plan, "tokens") == (
        "input 132 to 912; output about 1,400 (by 1 recording of it), at most 16,384"
    )


def test_without_a_recording_a_guess_is_called_a_guess_and_the_time_unknown() -> None:
    plan = make_plan(tasks=["a"])
    assert part(plan, "tokens") == (
        "input 66 to 456; output about 2,000 (a guess of 2,000 an answer; "
        "thinking takes several times that), at most 8,192"
    )
    assert part(plan, "time") == (
        "not known, as there is no recording of it; --llm-timeout allows 10 min for each answer"
    )


def test_what_a_cloud_costs_is_estimated_and_bounded() -> None:
    plan = make_plan(
        Facts(has_key=True),
        model=CLOUD_MODEL,
        endpoint=CLOUD,
        own={"x/big-1": OwnPrice(input=0.0, output=100.0)},
    )
    assert plan.expected.cost_usd.about == pytest.approx(3 * 2_000 * 100 / 1e6)
    assert plan.expected.cost_usd.at_most == pytest.approx(3 * 8_192 * 100 / 1e6)
    assert part(plan, "cost") == (
        "about $0.60, at most $2.46 (estimate; prices: [tool.llmbench.prices])"
    )


def test_further_attempts_count_in_what_it_can_cost() -> None:
    """Each may be given twice the room of the one before, up to 65,536 tokens."""
    own = {"x/big-1": OwnPrice(input=0.0, output=100.0)}
    plan = make_plan(Facts(), model=CLOUD_MODEL, endpoint=CLOUD, own=own, attempts=3)
    assert plan.expected.cost_usd.about == pytest.approx(3 * 2_000 * 100 / 1e6)
    assert plan.expected.output_tokens.at_most == 3 * (8_192 + 16_384 + 32_768)
    assert plan.expected.cost_usd.at_most == pytest.approx(3 * 57_344 * 100 / 1e6)
    many = make_plan(Facts(), tasks=["a"], attempts=6)
    assert many.expected.output_tokens.at_most == 57_344 + 3 * 65_536
    assert part(plan, "answers") == "3 to ask for, up to 3 attempts at each; 0 from recordings"


def test_no_conversation_of_several_attempts_costs_more_than_the_plan_says() -> None:
    """Whatever mix of corrections and larger limits: every path, with answers of full length."""
    attempts, price = 4, OwnPrice(input=50.0, output=100.0)
    plan = make_plan(
        Facts(), tasks=["a"], model=CLOUD_MODEL, endpoint=CLOUD, own={"x/big-1": price},
        attempts=attempts,
    )  # fmt: skip
    failed = [
        Check("works", f"number {each}", passed=False, message="word " * 200, duration_s=0.1)
        for each in range(50)
    ]

    def price_of(request: Request) -> float:
        tokens = count_most_tokens(request)
        return (tokens * price.input + request.max_tokens * price.output) / 1e6

    def most_of(request: Request, left: int) -> float:
        if left == 1:
            return price_of(request)
        answer = "x" * 2 * request.max_tokens
        following = (ask_to_correct(request, answer, failed, []), ask_for_more(request))
        return price_of(request) + max(most_of(each, left - 1) for each in following if each)

    assert plan.expected.cost_usd.at_most is not None
    most_usd = most_of(job("a").request, attempts)
    assert most_usd <= plan.expected.cost_usd.at_most <= 2 * most_usd


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("local", "nobody charges for it"),
        ("cloud", "not known; give its price in [tool.llmbench.prices]"),
    ],
)
def test_a_cost_that_is_not_known_is_no_zero(kind: Kind, told: str) -> None:
    plan = make_plan(Facts(), model=CLOUD_MODEL, endpoint=Endpoint("http://h:1", kind, 1))
    assert plan.expected.cost_usd == Estimate(None, None)
    assert part(plan, "cost") == told


def test_what_stands_in_the_way_is_told_with_its_remedy() -> None:
    fault = ProviderError("ollama/gemma4:31b: not served; run `ollama pull it`", kind="model")
    plan = make_plan(fault)
    assert plan.missing == ("ollama/gemma4:31b: not served; run `ollama pull it`",)
    assert lines(plan)[-2:] == [
        "Missing (1):",
        "  gemma4: ollama/gemma4:31b: not served; run `ollama pull it`",
    ]


def test_in_mode_none_the_server_is_no_matter_and_what_is_not_recorded_is_missing() -> None:
    plan = make_plan(
        ProviderError("no server", kind="unreachable"), shelf=Shelf({"a": PAST}), mode="none"
    )
    assert (plan.to_ask, plan.ready) == (0, 1)
    assert plan.missing == (
        "2 of 3 answers are not recorded; ask for them with --llm-record-mode=new_episodes",
    )


def test_a_recording_that_cannot_be_read_is_missing() -> None:
    plan = make_plan(shelf=Shelf(broken=["b"]))
    assert (plan.to_ask, plan.missing) == (2, ("b.json cannot be read: it is empty",))


def test_an_offline_model_has_its_answers_or_not() -> None:
    plan = make_plan(archive=["a", "c"], endpoint=Endpoint("file", "offline", 1))
    assert (plan.to_ask, plan.ready) == (0, 2)
    assert plan.missing == ("answers/b.md: there is no such file",)
    assert part(plan, "answers") == "2 answers there already; no server, no key, no cost"


@pytest.mark.parametrize(
    ("weights_gib", "cache_gib", "gpu_gib", "fits"),
    [
        (18.5, 9.4, 31.8, True),
        (18.5, 20.0, 31.8, None),
        (18.5, None, 31.8, None),
        (31.0, 0.1, 31.8, False),
        (31.0, None, 31.8, False),
        (1.0, 0.1, None, None),
    ],
    ids=[
        "all of it fits",
        "without the upper bound of the cache it would fit",
        "the cache is not known",
        "the weights alone are too large",
        "the weights alone are too large, whatever the cache",
        "no GPU is known",
    ],
)
def test_whether_a_model_fits_the_gpu(
    weights_gib: float,
    cache_gib: float | None,
    gpu_gib: float | None,
    fits: bool | None,  # noqa: FBT001  # a parameter of the test
) -> None:
    def count(gib: float | None) -> int | None:
        return None if gib is None else int(gib * GIB)

    assert Memory(count(weights_gib) or 0, count(cache_gib), count(gpu_gib)).fits is fits


def test_does_gemma_4_in_this_quantization_fit_32_gb_with_this_context() -> None:
    assert part(make_plan(), "memory") == (
        "about 28.9 GiB (estimate): 18.5 GiB weights, up to 9.4 GiB for 20,480 tokens of context, "
        "about 1 GiB else; of 31.8 GiB on the GPU: fits"
    )


def test_without_a_gpu_of_its_own_the_need_alone_is_told() -> None:
    for plan in (make_plan(gpus=()), make_plan(endpoint=Endpoint("http://gpu-box:1", "local", 1))):
        assert part(plan, "memory").endswith("; the memory of its GPU is not known")


def test_a_model_that_is_loaded_is_told_as_it_is() -> None:
    facts = Facts(size_bytes=10 * GIB, loaded_bytes=12 * GIB, loaded_gpu_bytes=9 * GIB)
    assert part(make_plan(facts), "memory").endswith(
        "; loaded now with 12.0 GiB, 75% of it in the GPU's memory"
    )


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (
            Facts(context_length=12_288),
            "prompt and answer need up to 8,648 tokens (max_tokens 8,192); "
            "the context holds 12,288",
        ),
        (
            Facts(context_length=8_192),
            "prompt and answer need up to 8,648 tokens (max_tokens 8,192), and the context "
            "holds 8,192: a long answer would not fit",
        ),
        (
            Facts(),
            "prompt and answer need up to 8,648 tokens (max_tokens 8,192); "
            "the server does not tell how many it takes",
        ),
        (
            Facts(longest_context=200_000, longest_answer=4_096),
            "prompt and answer need up to 8,648 tokens (max_tokens 8,192); the context holds "
            "200,000; the server ends every answer at 4,096",
        ),
    ],
)
def test_the_context_is_set_against_what_is_needed(facts: Facts, told: str) -> None:
    assert part(make_plan(facts), "context") == told


def test_endpoints_work_at_once_and_models_on_one_endpoint_in_turn() -> None:
    local = make_plan(shelf=Shelf({"x": PAST}))
    cloud = make_plan(Facts(), model=CLOUD_MODEL, endpoint=CLOUD, shelf=Shelf({"x": PAST}))
    assert (local.expected.time_s, cloud.expected.time_s) == (36.0, 9.0)
    assert time_of_run([local, cloud]) == 36.0
    assert time_of_run([local, local]) == 72.0
    assert time_of_run([local, make_plan()]) is None


def test_the_cap_is_set_against_what_it_could_cost() -> None:
    own = {"x/big-1": OwnPrice(input=0.0, output=100.0)}
    priced = make_plan(Facts(), model=CLOUD_MODEL, endpoint=CLOUD, own=own)
    assert (
        "The cap of $1.00 (llm_max_cost) may end the run early: it could cost up to\n  $2.46."
    ) in "\n".join(lines(priced, cap_usd=1.0))
    assert not [line for line in lines(priced, cap_usd=3.0) if "cap" in line]
    unpriced = make_plan(Facts(), model=CLOUD_MODEL, endpoint=CLOUD)
    assert (
        "The cap of $1.00 (llm_max_cost) lets nothing be asked of big: the price is not\n  known."
    ) in "\n".join(lines(unpriced, cap_usd=1.0))


def test_the_whole_text_of_a_plan_in_80_columns() -> None:
    own = {"x/big-1": OwnPrice(input=0.0, output=100.0)}
    cloud = make_plan(
        Facts(has_key=True, listed=True, longest_context=200_000),
        model=CLOUD_MODEL,
        endpoint=CLOUD,
        own=own,
        shelf=Shelf({"z": PAST}),
    )
    label = "anthropic/a-model-with-a-very-long-name-indeed?effort=high"
    gone = make_plan(
        ProviderError("there is no such model; " + "word " * 20, kind="model"),
        model=Model(label, "x", "long"),
        endpoint=CLOUD,
    )
    text = lines(make_plan(), cloud, gone)
    assert max(map(len, text)) <= 80
    start = next(place for place, line in enumerate(text) if line.startswith("model  "))
    assert text[start : start + 7] == [
        "model                           to ask   there cost about    at most time about",
        "gemma4                               3       0          -          -    unknown",
        "big                                  3       0      $0.21      $2.46        9 s",
        label,
        "                                     3       0    unknown    unknown    unknown",
        "all                                  9       0    unknown    unknown    unknown",
        "",
    ]
