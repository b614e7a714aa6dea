"""The BentoML service's module: what the process that starts the workers has to load."""

import subprocess
import sys


def test_the_process_that_starts_workers_loads_neither_models_nor_features() -> None:
    heavy = ("torch", "feast", "faiss", "pandas", "transformers", "scipy", "sqlalchemy")
    code = f"import sys, serving.service; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
