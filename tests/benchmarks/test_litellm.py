"""LiteLLM's configuration, and what is said where it cannot be had."""

import json
from pathlib import Path

import pytest

from benchmarks.children import BenchmarkError
from benchmarks.contenders import Site
from benchmarks.litellm import ENVIRON, config, installed


def test_each_model_leads_to_the_upstream(tmp_path: Path) -> None:
    told = json.loads(config(Site("uvicorn", 4711, "http://127.0.0.1:4712", tmp_path)))
    models = {model["model_name"]: model["litellm_params"] for model in told["model_list"]}
    assert models["chat"] == {"model": "openai/chat", "api_base": "http://127.0.0.1:4712/v1", "api_key": "sk-bench"}
    assert (told["litellm_settings"]["telemetry"], ENVIRON["LITELLM_TELEMETRY"]) == (False, "False")


def test_what_was_installed_is_not_installed_again(tmp_path: Path) -> None:
    (tmp_path / ".ready").touch()
    assert installed(tmp_path, "nobody-has-this") == tmp_path / "bin" / "python"


def test_without_a_network_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PIP_NO_INDEX", "PIP_DISABLE_PIP_VERSION_CHECK"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(BenchmarkError, match="ailb-has-no-such-thing cannot be installed; is there no network"):
        installed(tmp_path / "env", "ailb-has-no-such-thing")
    assert not (tmp_path / "env" / ".ready").exists()
