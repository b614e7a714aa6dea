"""The networks on this machine's GPU beside the same on its processor: equal, resumable, how fast, how large.

It needs torch, transformers, numpy and pydantic only, no shop and no network. Without a GPU it compares the
processor with itself, smaller, and says so.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from gpu.equality import (
    Comparison,
    compare_encoder,
    compare_losses,
    compare_networks,
    compare_resumed,
    encode_on,
)
from gpu.random_models import (
    LARGE,
    SMALL,
    Sizes,
    open_encoder,
    random_retriever,
    random_texts,
    random_training_data,
)
from gpu.speed import Rate, memory_share, request_rates, step_rate, text_rate
from recsys.config import RetrieverSettings


@dataclass(frozen=True)
class Report:
    """What was found; `ok` where everything is near enough."""

    device: str
    encoder: str
    comparisons: list[Comparison]
    rates: list[Rate]
    peak_bytes: int
    peak_share: float
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether all comparisons hold."""
        return all(row.ok for row in self.comparisons)


def check_device(device: torch.device, sizes: Sizes, encoder_path: str | None = None) -> Report:
    """Runs all of it on `device`."""
    started = time.perf_counter()
    settings = RetrieverSettings()
    model, data = random_retriever(sizes, settings), random_training_data(sizes, settings)
    texts, _ = random_texts(sizes)
    rows = compare_networks(device) + compare_losses(model, data, device)
    rows.append(compare_resumed(lambda: random_retriever(sizes, settings), data))
    with tempfile.TemporaryDirectory(prefix="recsys-gpu-") as folder:
        encoder = open_encoder(sizes, Path(folder), encoder_path)
        rows += compare_encoder(encoder, texts[:256], device)
        encode_on(encoder, texts[:1], device, torch.bfloat16 if device.type == "cuda" else torch.float32)
        rates = [text_rate(encoder, texts)]
    rates += [step_rate(model, data, sizes), *request_rates(model, sizes, device)]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    taken, share = memory_share(device)
    kind = "random weights" if encoder_path is None else Path(encoder_path).name
    return Report(name, kind, rows, rates, taken, share, time.perf_counter() - started)


def main(arguments: list[str] | None = None) -> int:
    """Prints the report; 1 where something differs too much."""
    parser = argparse.ArgumentParser(prog="scripts/gpu_check", description=__doc__)
    parser.add_argument("--encoder", metavar="FOLDER", help="a text encoder; default: random weights")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    gpu = torch.cuda.is_available()
    report = check_device(torch.device("cuda" if gpu else "cpu"), LARGE if gpu else SMALL, options.encoder)
    text = json.dumps(_document(report), indent=2) if options.json else "\n".join(_lines(report))
    sys.stdout.write(text + "\n")
    return 0 if report.ok else 1


def _document(report: Report) -> dict[str, object]:
    rows = [asdict(row) | {"ok": row.ok} for row in report.comparisons]
    return asdict(report) | {"comparisons": rows, "ok": report.ok}


def _lines(report: Report) -> list[str]:
    lines = [f"device: {report.device}; text encoder: {report.encoder}"]
    if report.device == "processor":
        lines.append("No CUDA here: the processor is compared with itself, on a smaller shop.")
    lines.append(f"\n{'part':30}{'precision':>12}{'difference':>12}{'at most':>10}{'top 10':>8}  ok")
    for row in report.comparisons:
        overlap = "" if row.overlap is None else f"{row.overlap:.3f}"
        lines.append(
            f"{row.name:30}{row.precision:>12}{row.difference:12.1e}{row.allowed:10.0e}{overlap:>8}  "
            f"{'yes' if row.ok else 'NO'}"
        )
    lines.append("")
    lines += [f"{rate.name:30}{rate.per_second:12,.1f} a second" for rate in report.rates]
    whose = "machine's" if report.device == "processor" else "card's"
    lines.append(
        f"{'peak memory':30}{report.peak_bytes / 1e6:12,.0f} MB, {report.peak_share:.1%} of the {whose}"
    )
    lines.append(f"\n{'Everything agrees' if report.ok else 'SOMETHING DIFFERS'}; {report.seconds:.0f} s.")
    return lines


if __name__ == "__main__":
    sys.exit(main())
