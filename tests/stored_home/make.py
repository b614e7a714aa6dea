"""Makes `home-7722d12.tar.xz` and `expected.json` with the code of another checkout, by what a user types.

    python -m tests.stored_home.make CHECKOUT

Works in /srv/shop, which must not exist: Feast's registry keeps absolute paths. Takes five minutes.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.encoders.tiny_models import save_bert
from tests.stored_home.answers import file_names, key_paths, metric_names

HERE = Path(__file__).parent
SHOP = Path("/srv/shop")
HOME = SHOP / ".recsys"
USERS, ITEMS, EVENTS = 60, 30, 1500
DAYS = range(1, 121, 6)  # before today: few days are few files
RANKINGS = 100  # rows that are compared
GOODS = (("tea", "leaf"), ("tools", "forge"), ("books", "press"))
# A password, what `up` and `features build` write anew, and what a finished run no longer needs.
LEFT_OUT = (
    "redis/server.json",
    "redis/redis.conf",
    "redis/redis.log",
    "features/*/rows.parquet",
    "retriever/checkpoint.*",
    "*.lock",
    "*.png",
)
SETTINGS = """
[text]
encoder = "encoder"
precision = "float32"
[retriever]
width = 8
text_width = 8
history_length = 10
epochs = 1
batch_size = 32
negatives = 16
warmup_steps = 2
[fusion]
neighbours = 5
hidden = 4
epochs = 1
candidates = 10
[ranker]
hidden = 4
epochs = 10
candidates = 10
[incremental]
epochs = 1
test_days = 0
[evaluation]
bootstrap_samples = 20
[serving]
feature_timeout_seconds = 30
timeout_seconds = 60
live_seconds = 3600
popularity_seconds = 3600
snapshot_share = 1
"""
MAPPING = """
name = "stored"
currency = "EUR"
repeats = true
label_kinds = ["purchase"]

[[events]]
files = "events.csv"
event_id = "id"
user = "user"
item = "item"
kind = { column = "kind", values = { view = "view", cart = "cart", buy = "purchase" } }
time = "at"
value = "paid"

[items]
files = "items.csv"
id = "item"
title = "title"
text = "{title}. {category}"
category = "category"
brand = "brand"
price = "price"
[items.attributes]
size = { column = "size", type = "number" }
colour = "colour"
[items.vectors]
image = "image"

[users]
files = "users.csv"
id = "user"
[users.attributes]
age = { column = "age", type = "number" }
"""


def main(checkout: Path) -> None:
    """Makes both files with the commands of `checkout`."""
    SHOP.mkdir(parents=True)
    now = datetime.now(UTC).replace(microsecond=0)
    write_shop(now)
    shutil.copytree(
        checkout / "feature_repo", SHOP / "feature_repo", ignore=shutil.ignore_patterns("__pycache__")
    )
    commands = Commands(checkout)
    commands.recsys("data", "import", "--mapping", "shop.toml", "--source", "files")
    first = commands.json("train", "--protocol", "time-split")
    second = commands.json("train", "--protocol", "all", "--promote")
    commands.recsys("up")
    try:
        commands.feast("materialize-incremental", f"{now:%Y-%m-%dT%H:%M:%S}")
        commands.ask(now, [("POST", "/v1/events", live_events(now))])
        commands.recsys("stream", "run", "--once")
        at = datetime.now(UTC)
        slates = [
            ("POST", "/v1/recommend", {"user_id": user, "k": 10}) for user in ("u0", "u1", "u2", "nobody")
        ]
        slates += [("POST", "/v1/similar", {"item_id": "i4", "k": 5})]
        asked = [*slates, ("GET", "/v1/history?user_id=u0", None), ("GET", "/v1/items/i4", None)]
        asked += [("GET", "/metrics", None), ("GET", "/openapi.json", None)]
        *answers, metrics, openapi = commands.ask(at, asked)
        commands.recsys("features", "build")
        audit = commands.json("features", "audit")
        status = commands.json("stream", "status")
    finally:
        commands.recsys("down")
    pack_home(at)
    shown = {
        "config": ("config",),
        "data stats": ("data", "stats"),
        "features show": ("features", "show", "ranking_v1"),
        "models list": ("models", "list"),
        "models show": ("models", "show", first["bundle"]),
        "models card": ("models", "card", first["bundle"]),
    }
    documents = {name: commands.json(*words) for name, words in shown.items()}
    documents |= {"train": first, "features audit": audit, "stream status": status}
    documents["evaluate"] = commands.json("evaluate", "--rankings", "rankings.parquet")
    documents["train --incremental"] = commands.json("train", "--incremental")
    expected = {
        "bundles": [second["bundle"], first["bundle"]],
        "history": documents["models show"]["history"],
        "services": documents["models show"]["services"],
        "rankings": rankings(SHOP / "rankings.parquet"),
        "at": at.isoformat(),
        "questions": asked[: len(answers)],
        "answers": answers,
        "metrics": metric_names(metrics),
        "routes": sorted(openapi["paths"]),
        "files": file_names(HOME),
        "keys": {name: sorted(key_paths(document)) for name, document in documents.items()},
    }
    write_expected(expected)


def write_expected(facts: dict[str, Any]) -> None:
    """One line a fact, one more for each element of a list."""
    lines = []
    for name, value in facts.items():
        text = json.dumps(value)
        if isinstance(value, list):
            text = "[\n" + ",\n".join(f"  {json.dumps(each)}" for each in value) + "\n ]"
        elif name == "keys":
            text = (
                "{\n"
                + ",\n".join(f"  {json.dumps(of)}: {json.dumps(keys)}" for of, keys in value.items())
                + "\n }"
            )
        lines.append(f" {json.dumps(name)}: {text}")
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


class Commands:
    """The commands of a checkout, typed in the shop's folder."""

    def __init__(self, checkout: Path) -> None:
        given = {name: value for name, value in os.environ.items() if not name.startswith("RECSYS_")}
        self._environment = {
            **given,
            "PYTHONPATH": str(checkout),
            "LOGNAME": "shop",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def recsys(self, *words: str) -> str:
        return self._run([sys.executable, "-m", "recsys.cli.app", *words])

    def json(self, *words: str) -> Any:
        return json.loads(self.recsys(*words, "--json"))

    def feast(self, *words: str) -> None:
        self._run(
            [sys.executable, "-c", "from feast.cli.cli import cli; cli()", "-c", "feature_repo", *words]
        )

    def ask(self, at: datetime, questions: list[Any]) -> list[Any]:
        command = [sys.executable, str(HERE / "answers.py"), str(SHOP)]
        return list(
            json.loads(self._run(command, json.dumps({"at": at.isoformat(), "questions": questions})))
        )

    def _run(self, command: list[str], given: str | None = None) -> str:
        done = subprocess.run(
            command,
            cwd=SHOP,
            env=self._environment,
            input=given,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout


def write_shop(now: datetime) -> None:
    """Everybody keeps to one of three kinds of goods, and mostly to three of its ten items."""
    rng = random.Random(0)
    files = SHOP / "files"
    files.mkdir()
    (SHOP / "recsys.toml").write_text(SETTINGS.lstrip(), "utf-8")
    (SHOP / "shop.toml").write_text(MAPPING.lstrip(), "utf-8")
    save_bert(SHOP / "encoder", ["tea", "tools", "books", "fine", *map(str, range(ITEMS))])
    items = ["item,title,category,brand,price,size,colour,image"]
    for number in range(ITEMS):
        kind, brand = GOODS[number % 3]
        image = " ".join(f"{rng.gauss(number % 3, 1):.3f}" for _ in range(4))
        colour = rng.choice(("red", "blue", ""))
        items.append(
            f"i{number},Fine {kind} {number},{kind},{brand},{2 + number}.50,{number * 10},{colour},{image}"
        )
    (files / "items.csv").write_text("\n".join(items) + "\n", "utf-8")
    users = ["user,age", *(f"u{number},{20 + number}" for number in range(USERS))]
    (files / "users.csv").write_text("\n".join(users) + "\n", "utf-8")
    events = ["id,user,item,kind,at,paid"]
    for number in range(EVENTS):
        user = rng.randrange(USERS)
        favourite = rng.random() < 0.7
        item = (user // 3 + rng.randrange(3) if favourite else rng.randrange(10)) % 10 * 3 + user % 3
        at = now - timedelta(days=rng.choice(DAYS), seconds=rng.randrange(40_000))
        kind = rng.choice(("view", "view", "cart", "buy", "buy"))
        paid = f"{2 + item}.50" if kind == "buy" else ""
        events.append(f"e{number},u{user},i{item},{kind},{at:%Y-%m-%dT%H:%M:%SZ},{paid}")
    events.append("bad,u1,i1,buy,yesterday,1.00")
    (files / "events.csv").write_text("\n".join(events) + "\n", "utf-8")


def live_events(now: datetime) -> list[dict[str, Any]]:
    """Slates that were shown in the last two days, what came of them, a new price, and a user's age."""
    rng = random.Random(1)
    rows: list[dict[str, Any]] = []

    def add(kind: str, at: datetime, **fields: Any) -> None:
        rows.append({"kind": kind, "event_id": f"live-{len(rows)}", "at": at.isoformat(), **fields})

    for number in range(40):
        user, at = f"u{number % 12}", now - timedelta(hours=46 - number)
        shown = rng.sample(range(ITEMS), 5)
        for place, item in enumerate(shown, 1):
            add("impression", at, user_id=user, item_id=f"i{item}", request_id=f"r{number}", position=place)
        chosen, later = f"i{shown[0]}", at + timedelta(seconds=20)
        add("click", later, user_id=user, item_id=chosen, request_id=f"r{number}", position=1)
        if number % 2:
            paid = {"quantity": 1, "value_micros": 3_000_000}
            add("purchase", later + timedelta(seconds=60), user_id=user, item_id=chosen, **paid)
    add("item_upsert", now - timedelta(hours=3), item_id="i4", price_micros=990_000)
    add("user_upsert", now - timedelta(hours=2), user_id="u0", attributes={"age": 33})
    return rows


def rankings(file: Path) -> list[dict[str, Any]]:
    """The first rows of the best ten."""
    import pyarrow.parquet as pq

    return [row for row in pq.read_table(file).to_pylist() if row["rank"] <= 10][:RANKINGS]


def pack_home(at: datetime) -> None:
    """Packs what a user would copy: the settings, the encoder and the home."""

    def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = int(at.timestamp())
        return entry

    with tarfile.open(HERE / "home-7722d12.tar.xz", "w:xz", preset=9) as packed:
        packed.add(SHOP / "recsys.toml", "recsys.toml", filter=anonymous)
        for path in sorted([*(SHOP / "encoder").rglob("*"), *HOME.rglob("*")]):
            if path.is_file() and not any(path.match(pattern) for pattern in LEFT_OUT):
                packed.add(path, str(path.relative_to(SHOP)), filter=anonymous)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
