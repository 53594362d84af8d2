"""What answers cost."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.result import Usage
from pytest_llmbench.models import Model
from pytest_llmbench.prices import OwnPrice, PriceList
from pytest_llmbench.project_file import read_project_file
from pytest_llmbench.providers.protocol import Endpoint, Kind
from pytest_llmbench.settings import SettingsError

AT = datetime(2026, 11, 23, tzinfo=UTC)
MOONSHOT = "https://api.moonshot.ai/v1"
USAGE = Usage(input_tokens=1_000, cached_input_tokens=400, output_tokens=2_000)


def cost(
    usage: Usage = USAGE,
    model: str = "moonshot/kimi-k2.6",
    address: str = MOONSHOT,
    kind: Kind = "cloud",
    own: dict[str, OwnPrice] | None = None,
    **known: object,
) -> tuple[float | None, object]:
    """The cost of an answer, and where it comes from."""
    provider, _, name = model.partition("/")
    recording = PriceList(own or {}).put_cost(
        Recording(text="x", usage=usage, **known),  # type: ignore[arg-type]  # fields by name
        Model("m", provider, name),
        Endpoint(address, kind, 1),
        AT,
    )
    return recording.cost_usd, recording.details.get("price_source")


def test_the_library_prices_input_cached_input_and_output() -> None:
    """Kimi K2.6 costs $0.95, $0.16 cached and $4.00 a million tokens."""
    usd, source = cost()
    assert usd == pytest.approx((600 * 0.95 + 400 * 0.16 + 2_000 * 4.00) / 1e6)
    assert str(source).startswith("genai-prices ")
    assert str(source).endswith(", as of 2026-11-23")


def test_thinking_is_paid_as_output_and_not_twice() -> None:
    thinking = Usage(1_000, 400, 2_000, thinking_tokens=1_900, reported_by="provider")
    assert cost(thinking)[0] == cost()[0]


def test_a_service_tier_has_its_own_price() -> None:
    openai = {"model": "openai/gpt-5.6", "address": "https://api.openai.com/v1"}
    usual = cost(**openai)[0]  # type: ignore[arg-type]  # keywords of `cost`
    flex = cost(**openai, details={"service_tier": "flex"})[0]  # type: ignore[arg-type]
    assert usual is not None
    assert flex is not None
    assert flex < usual


def test_input_that_goes_into_a_cache_has_its_own_price_where_there_is_one() -> None:
    """GPT-5.6 takes $4.00 a million tokens of input and $5.00 of what it caches; Kimi has one
    price for both."""
    openai = {"model": "openai/gpt-5.6", "address": "https://api.openai.com/v1"}
    usage = Usage(input_tokens=1_000, output_tokens=0)
    written = {"details": {"cache_write_tokens": 600}}
    usd, _ = cost(usage, **openai, **written)  # type: ignore[arg-type]  # keywords of `cost`
    assert usd == pytest.approx((400 * 4.00 + 600 * 5.00) / 1e6)
    assert cost(usage, details={"cache_write_tokens": 600})[0] == cost(usage)[0]


@pytest.mark.parametrize(
    ("model", "address", "kind"),
    [
        ("moonshot/no-such-model", MOONSHOT, "cloud"),
        ("openai/gpt-5.6", "https://proxy.example.com/v1", "cloud"),
        ("ollama/devstral", "http://127.0.0.1:11434", "local"),
        ("openai/gpt-5.6", "http://127.0.0.1:8000/v1", "local"),
        ("demo/argparse", "demo", "offline"),
    ],
    ids=["unknown model", "unknown server", "Ollama", "server at home", "offline"],
)
def test_what_is_not_known_or_not_charged_has_no_cost(model: str, address: str, kind: Kind) -> None:
    assert cost(model=model, address=address, kind=kind) == (None, None)


def test_a_model_that_the_library_lists_without_a_price_is_not_free() -> None:
    """The library's own sum would be 0."""
    import genai_prices  # noqa: PLC0415  # slow
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

    unpriced = next(
        (provider, model)
        for provider in get_snapshot().providers
        for model in provider.models
        if not isinstance(model.prices, list)
        and not any(vars(model.prices).values())
        and provider.id == "openrouter"
        and model.is_match(model.id)
    )[1]
    usage = genai_prices.Usage(input_tokens=1, output_tokens=1)
    address = "https://openrouter.ai/api/v1"
    assert genai_prices.calc_price(usage, unpriced.id, provider_api_url=address).total_price == 0
    assert cost(model=f"openrouter/{unpriced.id}", address=address) == (None, None)


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=9), Usage(output_tokens=9)])
def test_an_answer_whose_tokens_nobody_counted_has_no_cost(usage: Usage) -> None:
    own = {"moonshot/kimi-k2.6": OwnPrice(1, 1)}
    assert cost(usage) == cost(usage, own=own) == (None, None)


def test_an_own_price_wins_over_the_library() -> None:
    own = {"moonshot/kimi-k2.6": OwnPrice(input=1.0, output=10.0, cached_input=0.5)}
    usd, source = cost(own=own)
    assert usd == pytest.approx((600 * 1.0 + 400 * 0.5 + 2_000 * 10.0) / 1e6)
    assert source == "[tool.llmbench.prices]"


def test_without_an_own_price_for_cached_input_it_costs_what_input_costs() -> None:
    usd, _ = cost(own={"moonshot/kimi-k2.6": OwnPrice(input=1.0, output=10.0)})
    assert usd == pytest.approx((1_000 * 1.0 + 2_000 * 10.0) / 1e6)


def test_an_own_price_holds_for_a_server_at_home_too() -> None:
    own = {"ollama/devstral": OwnPrice(input=0.0, output=1.0)}
    usd, _ = cost(model="ollama/devstral", address="http://10.0.0.7:11434", kind="local", own=own)
    assert usd == pytest.approx(0.002)


def test_the_name_that_was_served_wins_over_the_name_that_was_asked_for() -> None:
    own = {"x/alias": OwnPrice(1.0, 1.0), "x/alias-2026-11-01": OwnPrice(2.0, 2.0)}
    asked = cost(model="x/alias", own=own)[0]
    served = cost(model="x/alias", own=own, served_model="alias-2026-11-01")[0]
    unknown = cost(model="x/alias", own=own, served_model="what-is-this")[0]
    assert (asked, served, unknown) == pytest.approx((0.003, 0.006, 0.003))


def test_what_the_provider_says_that_it_charged_stands() -> None:
    own = {"moonshot/kimi-k2.6": OwnPrice(1.0, 1.0)}
    assert cost(own=own, cost_usd=0.5) == (0.5, "the provider's own charge")


def test_prices_are_found_without_a_network_and_the_library_is_loaded_for_clouds_alone() -> None:
    """In a fresh process that ends at the first connection, lookup of a name, or socket."""
    program = f"""
import sys
def forbid(event, args):
    if event in ("socket.__new__", "socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"{{event}} {{args}}")
from datetime import UTC, datetime
from pytest_llmbench.models import Model
from pytest_llmbench.prices import PriceList
from pytest_llmbench.providers.protocol import Endpoint
sys.addaudithook(forbid)
prices, at = PriceList({{}}), datetime.now(UTC)
prices.find(Model("m", "ollama", "m"), Endpoint("http://127.0.0.1:1", "local", 1), None, at)
print("genai_prices" in sys.modules)
kimi = Model("m", "moonshot", "kimi-k2.6")
rate = prices.find(kimi, Endpoint({MOONSHOT!r}, "cloud", 1), None, at)
print("genai_prices" in sys.modules, rate is not None)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.stdout.split(), done.stderr) == (["False", "True", "True"], "")


def test_prices_and_the_tariff_are_read_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.llmbench]\ntariff = 0.25\n"
        '[tool.llmbench.prices]\n"openai/m" = {input = 1, output = 2.5}\n'
        '"openai/n" = {input = 1, output = 2}\n'
    )
    (tmp_path / "llmbench.toml").write_text(
        'tariff = 0.30\n[prices]\n"openai/n" = {input = 3, output = 4, cached_input = 0.1}\n'
    )
    project = read_project_file(tmp_path)
    assert project.tariff == 0.30
    assert project.prices == {
        "openai/m": OwnPrice(1.0, 2.5),
        "openai/n": OwnPrice(3.0, 4.0, 0.1),
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '"openai/m" = {input = 1}',
            "llmbench.toml: the price of 'openai/m' is {'input': 1}; expected "
            '"provider/model" = {input = 3.0, output = 15.0}, in USD per million tokens, '
            "and cached_input if it differs",
        ),
        (
            "m = {input = 1, output = -2}",
            "llmbench.toml: the price of 'm' is {'input': 1, 'output': -2}; expected "
            '"provider/model" = {input = 3.0, output = 15.0}, in USD per million tokens, '
            "and cached_input if it differs",
        ),
        (
            '"openai/m" = {input = true, output = 2}',
            "llmbench.toml: the price of 'openai/m' is {'input': True, 'output': 2}; expected "
            '"provider/model" = {input = 3.0, output = 15.0}, in USD per million tokens, '
            "and cached_input if it differs",
        ),
        (
            '"openai/m" = 3',
            "llmbench.toml: the price of 'openai/m' is 3; expected "
            '"provider/model" = {input = 3.0, output = 15.0}, in USD per million tokens, '
            "and cached_input if it differs",
        ),
    ],
)
def test_a_price_that_makes_no_sense_is_one_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "llmbench.toml").write_text(f"[prices]\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        read_project_file(tmp_path)
    assert str(caught.value) == message


def test_a_tariff_that_makes_no_sense_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "llmbench.toml").write_text("tariff = 'cheap'\n")
    with pytest.raises(SettingsError) as caught:
        read_project_file(tmp_path)
    assert str(caught.value) == (
        "llmbench.toml: llmbench's `tariff` is 'cheap'; expected what a kWh costs, as 0.30"
    )
