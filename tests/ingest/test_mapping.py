"""Mapping files: what is wrong is named with its place and the nearest right word."""

import re
from pathlib import Path

import pytest

from recsys import columns
from recsys.errors import ConfigError
from recsys.ingest.mapping import files as mapping_files
from recsys.ingest.mapping.files import load_mapping, parse_mapping, shipped_mappings

HEAD = 'name = "s"\nrepeats = true\nlabel_kinds = ["purchase"]\n'
EVENTS = '[[events]]\nfiles = "e.csv"\nuser = "u"\nitem = "i"\nkind = "purchase"\ntime = "t"\n'


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_mapping(text, "shop.toml")
    return str(caught.value)


def test_the_smallest_mapping() -> None:
    mapping = parse_mapping(HEAD + EVENTS, "shop.toml")
    assert mapping.events[0].kind.fixed == "purchase"
    assert mapping.events[0].time.column == "t"
    assert mapping.clock == "time"
    assert mapping.kind_weights["purchase"] == 1.0


@pytest.mark.parametrize(
    ("extra", "parts"),
    [
        ("sesion = 's'\n", ("'events[0].sesion'", "Did you mean 'session'?")),
        ("[events.when]\n", ("'events[0].when' is unknown", "Here you can write:")),
        ("[itmes]\nid = 'x'\n", ("'itmes'", "Did you mean 'items'?")),
        (
            "[items]\nfiles = 'p.csv'\n[items.attributes]\na = { column = 'x', typ = 'number' }\n",
            ("'items.attributes.a.typ'", "Did you mean 'type'?"),
        ),
        ("[[events.reject]]\nreason = 'x'\nwhen = [{ column = 'a', atmost = 0 }]\n", ("'at_most'",)),
        ("[cleaning]\nbot_events_per_minut = 1\n", ("Did you mean 'bot_events_per_minute'?",)),
    ],
)
def test_an_unknown_key_gets_its_place_and_the_nearest_right_one(extra: str, parts: tuple[str, ...]) -> None:
    message = refused(HEAD + EVENTS + extra)
    assert message.startswith("shop.toml: ")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('name = "s"', "key 'repeats' is missing"),
        (HEAD + EVENTS.replace("purchase", "buy"), "kind 'buy' is unknown; use one of: search"),
        (HEAD.replace('"purchase"', '"order"') + EVENTS, "is not a kind of event"),
        (HEAD + EVENTS.replace('"t"', '{ unit = "s" }'), 'unit = "order"'),
        (HEAD + EVENTS.replace('"t"', '{ column = "t", unit = "min" }'), "got 'min'"),
        (HEAD + EVENTS + "header = false\n", "needs `names`"),
        (HEAD + EVENTS + "[items]\ntitle = 'x'\n", "no `files`"),
        (HEAD + EVENTS + "[items]\nfiles = 'p'\ntitle = '{x'\n", "is not a template"),
        (HEAD + EVENTS + "[items]\nunknown = 'quarantine'\n", "would reject every event"),
        (HEAD + EVENTS + "[weights]\nbuy = 1\n", "'buy'"),
        (HEAD + EVENTS + EVENTS.replace('"t"', '{ unit = "order" }'), "all have unit"),
        ("name = ", "shop.toml: "),
    ],
)
def test_a_value_that_does_not_fit_is_named(text: str, part: str) -> None:
    assert part in refused(text)


def test_every_shipped_mapping_is_valid_and_described() -> None:
    names = shipped_mappings()
    assert {"complete-journey", "movielens-100k", "retailrocket", "ordered-csv"} <= set(names)
    for name in names:
        assert load_mapping(name).description


def template() -> Path:
    return Path(mapping_files.__file__).parents[2] / "mappings" / "template.toml"


def test_the_template_is_valid_as_it_is() -> None:
    assert load_mapping(str(template())).label_kinds == ("purchase",)


def test_every_key_that_the_template_comments_out_exists() -> None:
    place: tuple[str, ...] = ()
    checked = 0
    for line in template().read_text("utf-8").splitlines():
        line = line.removeprefix("# ")
        if table := re.match(r"\[+([a-z_.]+)\]+", line):
            place = tuple(table.group(1).split("."))
        elif (key := re.match(r"([a-z_]+) = ", line)) and place[-1:] not in (("attributes",), ("vectors",)):
            assert key.group(1) in (*mapping_files._keys_at(place), *columns.KINDS), line
            checked += 1
    assert checked > 50


def test_an_unknown_name_lists_what_is_shipped() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'movielens-100k'"):
        load_mapping("movielens-100")
