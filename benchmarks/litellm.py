"""LiteLLM's proxy as a contender: plain, with no database, no keys and no callbacks, in a virtualenv of its own that is made on demand."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.children import BenchmarkError
from benchmarks.contenders import Contender, Site

VERSION = "1.106.12"
REQUIREMENT = f"litellm[proxy]=={VERSION}"
MODELS = ("chat", "burst")
ENVIRON = {
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}
"""Nothing is sent home, nothing is fetched from the network when it starts, and nobody needs a key: it is spared the looking up."""

START_SECONDS = 180.0
"""It imports for long, and the first time longer."""

PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ailb-benchmarks"


def installed(folder: Path, requirement: str = REQUIREMENT) -> Path:
    """The interpreter of a virtualenv with it, made the first time. Raises BenchmarkError where that is not possible."""
    python, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], requirement)
        _run([str(python), *PIP, requirement], requirement)
        ready.write_text(requirement)
    return python


def litellm() -> Contender:
    """Raises BenchmarkError where it is not there and cannot be had."""
    python = installed(cache() / f"litellm-{VERSION}")
    return Contender("litellm", _arguments, str(python), tuple(ENVIRON.items()), START_SECONDS, faithful=False)


def config(site: Site) -> str:
    """JSON, which is YAML too."""
    known = {"api_base": f"{site.upstream}/v1", "api_key": "sk-bench"}
    models = [{"model_name": name, "litellm_params": {"model": f"openai/{name}", **known}} for name in MODELS]
    return json.dumps({"model_list": models, "litellm_settings": {"telemetry": False}}, indent=2)


def _arguments(site: Site) -> list[str]:
    file = site.folder / f"litellm-{site.port}.yaml"
    file.write_text(config(site))
    program = "import sys; from litellm import run_server; sys.exit(run_server())"
    told = ["--config", str(file), "--host", "127.0.0.1", "--port", str(site.port), "--num_workers", "1", "--telemetry", "False"]
    return ["-c", program, *told]


def _run(command: Sequence[str], requirement: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise BenchmarkError(f"{requirement} cannot be installed; is there no network?\n{why}")
