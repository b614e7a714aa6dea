"""scripts/gpu_check on a processor, with no more packages than it asks for."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ABSENT = (
    "pyarrow",
    "pandas",
    "scipy",
    "feast",
    "bentoml",
    "sqlalchemy",
    "redis",
    "faiss",
    "typer",
    "sklearn",
)
BLOCKING = f"""
import runpy, sys

class Without:
    # Finds what `finder` finds but the absent packages.
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in {ABSENT} else self.finder.find_spec(name, path, target)

    def find_distributions(self, *context):
        return getattr(self.finder, "find_distributions", lambda *_: ())(*context)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
sys.argv = ["gpu_check", "--json"]
runpy.run_module("gpu.check", run_name="__main__")
"""
PARTS = {
    *("item tower", "user tower", "ranker", "click model", "text encoder", "resumed training"),
    *("sampled-softmax and gradient", "bce and gradient", "gbce and gradient"),
    *("listwise loss", "pointwise loss"),
}


def test_it_compares_the_processor_with_itself_without_the_packages_of_a_shop() -> None:
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", BLOCKING]
    ended = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(ended.stdout)
    assert report["device"] == "processor"
    assert {row["name"] for row in report["comparisons"]} == PARTS
    exact = [row["difference"] for row in report["comparisons"] if row["precision"] != "bfloat16"]
    assert max(exact) < 1e-6, "it is the same processor"
    assert all(rate["per_second"] > 0 for rate in report["rates"])
    assert 0 < report["peak_share"] < 1
