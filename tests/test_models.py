"""Specs, aliases and groups."""

import pytest

from pytest_llmbench.models import Model, ModelSpecError, resolve_models, suggest_alias

PROVIDERS = ("anthropic", "demo", "file", "moonshot", "offline", "ollama", "openai")


def resolve(*names: str, configured: dict[str, str | list[str]] | None = None) -> tuple[Model, ...]:
    return resolve_models(names, providers=PROVIDERS, configured=configured or {})


@pytest.mark.parametrize(
    ("typed", "provider", "name", "parameters"),
    [
        ("anthropic/claude-x", "anthropic", "claude-x", {}),
        ("ollama/hf.co/org/model:Q4", "ollama", "hf.co/org/model:Q4", {}),
        ("llama3:8b", "ollama", "llama3:8b", {}),
        (
            "ollama/devstral?num_ctx=16384&think=false",
            "ollama",
            "devstral",
            {"num_ctx": "16384", "think": "false"},
        ),
        (
            "openai/m?base_url=http://localhost:8000/v1",
            "openai",
            "m",
            {"base_url": "http://localhost:8000/v1"},
        ),
        ("file//tmp/answers", "file", "/tmp/answers", {}),
    ],
)
def test_a_spec_is_split_at_the_first_slash_and_the_query(
    typed: str, provider: str, name: str, parameters: dict[str, str]
) -> None:
    assert resolve(typed) == (Model(typed, provider, name, parameters),)


def test_the_label_is_what_was_typed_and_the_spec_is_exact() -> None:
    (model,) = resolve("kimi-k2.6")
    assert (model.label, model.spec) == ("kimi-k2.6", "moonshot/kimi-k2.6")
    (model,) = resolve("devstral?num_ctx=8192")
    assert (model.label, model.spec) == (
        "devstral?num_ctx=8192",
        "ollama/devstral:latest?num_ctx=8192",
    )


def test_groups_and_aliases_of_the_project_win_over_the_built_in_ones() -> None:
    models = resolve(
        "home",
        configured={
            "home": ["devstral", "small"],
            "devstral": "ollama/devstral:24b?num_ctx=32768",
            "small": "ollama/tiny",
        },
    )
    assert [(model.label, model.spec) for model in models] == [
        ("devstral", "ollama/devstral:24b?num_ctx=32768"),
        ("small", "ollama/tiny"),
    ]


def test_a_model_named_twice_runs_once() -> None:
    assert [model.label for model in resolve("demo", "demo-menu", "sonnet", "sonnet")] == [
        "demo-argparse",
        "demo-argv",
        "demo-minimal",
        "demo-menu",
        "demo-thinking-menu",
        "demo-cut-off",
        "sonnet",
    ]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            "antropic/claude-x",
            "'antropic/claude-x': there is no provider 'antropic'; did you mean 'anthropic'? "
            "known are anthropic, demo, file, moonshot, offline, ollama, openai; "
            "a model of Ollama with a slash in its name is ollama/antropic/claude-x",
        ),
        ("file/", "'file/' names no model: write file/PATH"),
        ("anthropic/", "'anthropic/' names no model: write anthropic/MODEL"),
        ("", "an empty model name; write for example devstral,sonnet"),
        (
            "ollama/a::b",
            "'ollama/a::b' holds '::', which pytest needs for itself; "
            "give the model an alias in [tool.llmbench.models] and use that",
        ),
        (
            "openai/m?base_url=http://[1]/v1",
            "'openai/m?…' holds '[', which pytest needs for itself; "
            "give the model an alias in [tool.llmbench.models] and use that",
        ),
        (
            "my model",
            "'my model' holds white space or control characters; "
            "give the model an alias in [tool.llmbench.models] and use that",
        ),
        (
            "devstral?num_ctx",
            "'ollama/devstral:latest': parameter 1 has no name or no value; "
            "write key=value&key=value",
        ),
    ],
)
def test_a_spec_that_cannot_be_right_is_one_clear_line(typed: str, message: str) -> None:
    with pytest.raises(ModelSpecError) as error:
        resolve(typed)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            "anthropic/x?base_url=http://user:hunter2@host",
            "anthropic/x: base_url must not hold a user name or password; "
            "set what is secret in an environment variable",
        ),
        (
            "anthropic/x?base_url=http://user:hunt&er2@host",
            "'anthropic/x': parameter 2 has no name or no value; write key=value&key=value",
        ),
        (
            "ollama/x?host=user:hunter2@host",
            "ollama/x: host must not hold a user name or password; "
            "set what is secret in an environment variable",
        ),
        (
            "openai/m?base_url=http://host/v1?token=hunter2",
            "openai/m: base_url must end with its path, without a ? or # and what follows; "
            "set what is secret in an environment variable",
        ),
        (
            "openai/m?base_url=http://host/v1#hunter2",
            "openai/m: base_url must end with its path, without a ? or # and what follows; "
            "set what is secret in an environment variable",
        ),
        (
            "openai/x?api_key=sk-hunter2",
            "openai/x: api_key looks like a secret; set it in an environment variable",
        ),
        (
            "devstral?num_ctx=1&AUTH_TOKEN=hunter2",
            "devstral: AUTH_TOKEN looks like a secret; set it in an environment variable",
        ),
        (
            "openai/x?sk-hunter2-key-0123456789=1",
            "openai/x: a parameter looks like a secret; set it in an environment variable",
        ),
        (
            "mine",
            "openai/m: password looks like a secret; set it in an environment variable",
        ),
        (
            "https://user:hunter2@host/v1",
            "a model name that is a URL with a user name or password; write "
            "provider/MODEL?base_url=URL, and set what is secret in an environment variable",
        ),
    ],
)
def test_a_spec_with_a_secret_is_refused_without_telling_it(typed: str, message: str) -> None:
    """As typed, and in an alias of the project."""
    with pytest.raises(ModelSpecError) as error:
        resolve(typed, configured={"mine": "openai/m?password=hunter2"})
    assert str(error.value) == message


def test_parameters_that_only_sound_like_secrets_are_none() -> None:
    (model,) = resolve("openai/m?key_env=GPU_KEY&budget_tokens=2048")
    assert model.parameters == {"key_env": "GPU_KEY", "budget_tokens": "2048"}


def test_an_alias_of_itself_is_told() -> None:
    with pytest.raises(ModelSpecError) as error:
        resolve("a", configured={"a": "b", "b": ["c"], "c": "a"})
    assert str(error.value) == "'a' is an alias of itself: a → b → c → a"


@pytest.mark.parametrize(
    ("typed", "meant"), [("sonet", "sonnet"), ("devstrall", "devstral"), ("phi4:14b", None)]
)
def test_a_bare_name_near_an_alias_is_suspected_to_be_it(typed: str, meant: str | None) -> None:
    (model,) = resolve(typed)
    assert model.spec == f"ollama/{typed}"
    assert suggest_alias(model, {}) == meant
