"""Ratings of MovieLens 100K as they come: `u.data` and its like, or ratings.csv, movies.csv, users.csv."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.arrays import DoubleArray, IntArray
from recsys.errors import DataError

GENRES = (
    *("Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
TRAIN, HELD, TEST = 0, 1, 2
TEST_SHARE, HELD_SHARE = 0.2, 0.08
_AGES = (18, 25, 35, 45, 50, 56)


@dataclass(frozen=True, eq=False)
class Ratings:
    """R ratings by user and time, of users 1 to U and films 1 to N.

    Attributes:
        user, item, at: (R,) codes and seconds. rating: (R,) 1 to 5.
        part: (R,) the last 20% of each user's are the test, the last tenth of the others is held out.
        genres: (N + 1, G) flags. year: (N + 1,) NaN = unknown.
        traits: (U + 1, 3) codes of age, gender and occupation, 0 = unknown.
    """

    user: IntArray
    item: IntArray
    at: IntArray
    rating: DoubleArray
    part: IntArray
    genres: DoubleArray
    year: DoubleArray
    traits: IntArray


def read_ratings(folder: Path) -> Ratings:
    """The ratings of a folder of either layout.

    Raises:
        DataError: the folder has none of them.
    """
    if (folder / "u.data").is_file():
        ratings, films, users = _original(folder)
    elif files := [next(folder.glob(f"{name}.csv*"), None) for name in ("ratings", "movies", "users")]:
        if None in files:
            raise DataError(f"{folder} has neither u.data nor ratings.csv, movies.csv and users.csv.")
        ratings, films, users = (pd.read_csv(str(file)) for file in files)
        films["genres"] = films["class"].fillna("").str.split(" ")
        films["year"] = pd.to_numeric(films["release_year"], errors="coerce")
    ratings = ratings.sort_values(["user_id", "timestamp", "item_id"], kind="stable")
    films, users = films.set_index("item_id"), users.set_index("user_id")
    size = ratings.groupby("user_id")["item_id"].transform("size").to_numpy()
    place = ratings.groupby("user_id").cumcount().to_numpy()
    test = place >= np.ceil(size * (1 - TEST_SHARE))
    held = place >= np.ceil(size * (1 - TEST_SHARE - HELD_SHARE))
    index = range(int(ratings["item_id"].max()) + 1)
    known = films["genres"].reindex(index)
    flags = [[float(genre in (each if isinstance(each, list) else ())) for genre in GENRES] for each in known]
    return Ratings(
        ratings["user_id"].to_numpy(np.int64),
        ratings["item_id"].to_numpy(np.int64),
        ratings["timestamp"].to_numpy(np.int64),
        ratings["rating"].to_numpy(np.float64),
        np.where(test, TEST, np.where(held, HELD, TRAIN)),
        np.array(flags),
        films["year"].reindex(index).to_numpy(np.float64),
        _traits(users, int(ratings["user_id"].max())),
    )


def _original(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    ratings = pd.read_csv(folder / "u.data", sep="\t", names=["user_id", "item_id", "rating", "timestamp"])
    names = ["item_id", "title", "released", "video", "address", "unknown", *GENRES]
    films = pd.read_csv(folder / "u.item", sep="|", names=names, encoding="latin-1")
    films["genres"] = [[genre for genre in GENRES if row[genre]] for _, row in films.iterrows()]
    films["year"] = pd.to_numeric(films["released"].str[-4:], errors="coerce")
    columns = ["user_id", "age", "gender", "occupation", "zip_code"]
    return ratings, films, pd.read_csv(folder / "u.user", sep="|", names=columns)


def _traits(users: pd.DataFrame, largest: int) -> IntArray:
    people = users.reindex(range(largest + 1))
    age = np.where(people["age"].isna(), 0, np.digitize(people["age"].fillna(0), _AGES) + 1)
    others = [pd.factorize(people[name], sort=True)[0] + 1 for name in ("gender", "occupation")]
    return np.stack([age, *others], 1).astype(np.int64)
