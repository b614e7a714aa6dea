"""Writes events.csv and items.csv: a small shop of kitchen, garden and reading, 40 users, seeded.

python docs/example-shop/make.py
"""

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
USERS, EVENTS, DAYS = 40, 620, 75
LAST = datetime(2026, 11, 26, 21, 40, tzinfo=UTC)
GOODS = {
    "Tea": (
        "Sencha green tea",
        "Darjeeling black tea",
        "Rooibos with vanilla",
        "Peppermint leaves",
        "White tea pearls",
    ),
    "Coffee": ("Espresso beans", "Filter coffee, mild", "Decaf beans", "Hand grinder", "Milk frother"),
    "Kitchen": ("Stoneware mug", "Cast iron tea pot", "Bread knife", "Glass storage jar", "Linen tea towel"),
    "Garden": ("Tomato seeds", "Lavender seeds", "Watering can", "Pruning shears", "Terracotta pot"),
    "Books": (
        "Baking bread at home",
        "A year in the garden",
        "The tea handbook",
        "Slow cooking",
        "Herbs and spices",
    ),
    "Lighting": ("Beeswax candles", "Storm lantern", "Desk lamp", "String lights", "Candle holder"),
}
MAKERS = ("Alder & Co", "Brookfield", "Morning Mill", "Northwind")
TELLS = ("Made in small batches.", "A favourite of our team.", "Lasts for years.", "A good present.")


def items(rng: random.Random) -> list[dict[str, object]]:
    """The catalog: 30 items of six categories."""
    rows: list[dict[str, object]] = []
    for category, titles in GOODS.items():
        for number, title in enumerate(titles):
            rows.append(
                {
                    "product_id": f"{category[:3].upper()}-{number + 1:02}",
                    "title": title,
                    "description": f"{title} from {MAKERS[(len(rows) * 7) % 4]}. {rng.choice(TELLS)}",
                    "category": category,
                    "brand": MAKERS[(len(rows) * 7) % 4],
                    "price": f"{rng.choice((3.5, 4.9, 6.5, 9.9, 12, 18.5, 24.9, 39)):.2f}",
                    "in_stock": "false" if len(rows) == 27 else "true",
                }
            )
    return rows


def events(rng: random.Random, catalog: list[dict[str, object]]) -> list[dict[str, object]]:
    """Sessions in which users look at goods of the two categories that they like, and buy some."""
    likes = {f"user-{n:02}": rng.sample(list(GOODS), 2) for n in range(1, USERS + 1)}
    rows: list[dict[str, object]] = []
    while len(rows) < EVENTS:
        user = rng.choice(list(likes))
        at = LAST - timedelta(minutes=rng.randrange(DAYS * 24 * 60))
        for _ in range(rng.randint(1, 4)):
            liked = rng.random() < 0.8
            wanted = [row for row in catalog if (row["category"] in likes[user]) == liked]
            item = wanted[min(int(rng.expovariate(0.35)), len(wanted) - 1)]
            steps = ["view", *(["add_to_cart"] if rng.random() < 0.35 else [])]
            steps += ["purchase"] if len(steps) == 2 and rng.random() < 0.6 else []
            for step in steps:
                paid = rng.randint(1, 2) if step == "purchase" else ""
                rows.append(
                    {
                        "event_time": f"{at:%Y-%m-%d %H:%M:%S}",
                        "event_type": step,
                        "user_id": user,
                        "product_id": item["product_id"],
                        "quantity": paid,
                        "unit_price": item["price"] if paid else "",
                    }
                )
                at += timedelta(seconds=rng.randint(20, 200))
    return sorted((row for row in rows if row["event_time"] <= f"{LAST:%Y-%m-%d %H:%M:%S}"), key=str)


def write(name: str, rows: list[dict[str, object]]) -> None:
    """Writes a CSV file beside this one."""
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    rng = random.Random(7)
    catalog = items(rng)
    write("items.csv", catalog)
    write("events.csv", events(rng, catalog))
