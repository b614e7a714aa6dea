"""What clients send that no one should: texts, numbers and bodies, as strategies for any route.

`with_a_bad_field(body)` makes raw JSON bodies from one that is right; `ask_whatever` sends one and checks
what holds for every answer: no 5xx, the one shape of an error, JSON that can be read.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from hypothesis import strategies as st

# Where a body is written, a text that begins with this is put in as it is, without quotes.
RAW = "\ufdd0raw:"
LONG = 10_000

NUL_AND_CONTROLS = ("\0", "a\0b", "\x01\x02\x1b[31m", "\x7f\x80\x9f", "\ufeff", "line\nbreak\r\tand\x0b")
SURROGATES = ("\ud800", "a\udfffb", "\udc00\ud800", "\ud83d")
EMOJI = ("🛒", "👩‍👩‍👧‍👦🏳️‍🌈", "❤️" * 50, "1️⃣")
RIGHT_TO_LEFT = ("حذاء أحمر", "נעליים", "\u202eevil\u202c", "\u2067abc\u2066", "abc \u05d0 12 \u05d1")
COMBINING = ("e\u0301" * 30, "Z\u0351\u036f\u0320" * 100, "\u200b\u200d\u2060", "ﬁ ﷺ Ǆ ẞ İ ı")
HAN = ("红色连衣裙", "５００毫升", "ｆｕｌｌ　ｗｉｄｔｈ", "繁體字", "𠮷野家")
PUNCTUATION = ("", " ", "\u3000\u00a0", "!?.,;:", "---", '""', "'", '"', '"unclosed', "-", "+ +", "\\")
LUCENE = ("title:*", "a AND (b OR", "[1 TO *]", "{* TO z}", "foo~2^9", "/re.*gex/", "*", "?", "NOT", "a:b:c")
SQL = ("' OR 1=1 --", "x'; DROP TABLE items; --", "%_%", "$1", "{0}", "%s%n", "${jndi:ldap://x}", "../../x")
BAD_TEXTS = (
    *NUL_AND_CONTROLS,
    *SURROGATES,
    *EMOJI,
    *RIGHT_TO_LEFT,
    *COMBINING,
    *HAN,
    *PUNCTUATION,
    *LUCENE,
    *SQL,
    "x" * LONG,
    "红" * LONG,
    "a " * (LONG // 2),
    '"' * LONG,
    "-" + "(" * LONG,
)
BAD_NUMBERS = (
    *(-1, 0, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, -(10**18), 0.1, 1e308, -0.0, 5e-324),
    *(RAW + text for text in ("1e400", "-1e400", "1" * 400, "0." + "3" * 400, "NaN", "Infinity", "-", "01")),
)
_DEEP = RAW + "[" * 60 + "]" * 60
_TOO_DEEP = (RAW + "[" * 70 + "]" * 70, RAW + '{"a":' * 5000 + "1" + "}" * 5000, RAW + "[" * 5000)
_MANY: tuple[Any, ...] = ([0] * 1001, ["x"] * 1001, {str(n): n for n in range(1001)}, [[]] * 100, {"": {}})
_HUGE = (*_MANY, _DEEP, *_TOO_DEEP)


def bad_texts() -> st.SearchStrategy[str]:
    """Texts of any kind, the known troublemakers more often than chance would have them."""
    some = _one_of(BAD_TEXTS)
    any_text = st.text(st.characters(codec=None), max_size=50)
    return some | any_text | st.builds(lambda one, other: one[:100] + other[:100], some, some)


def bad_values() -> st.SearchStrategy[Any]:
    """Values of every JSON type, among them such as no parser should follow to the end."""
    leaves = st.one_of(
        bad_texts(), st.sampled_from(BAD_NUMBERS), st.none(), st.booleans(), st.integers(), st.floats()
    )
    nested = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(bad_texts(), inner, max_size=5),
        max_leaves=10,
    )
    return nested | _one_of(_HUGE)


def _one_of(values: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of `values`, by its place: hypothesis would write long ones out."""
    return st.integers(0, len(values) - 1).map(lambda place: values[place])


def many_filters(count: int = 1000) -> list[Any]:
    """Bodies' `filters` with `count` conditions, one form each."""
    names = [f"name{number}" for number in range(count)]
    return [
        {"categories": names},
        {"brands": names},
        {"attributes": dict.fromkeys(names, "x")},
        {"attributes": {"organic": names}},
        {name: 1 for name in names},
        {"any": [{"brands": [name]} for name in names]},
        {"not": [{"brands": [name]} for name in names]},
    ]


def with_a_bad_field(body: Mapping[str, Any], fields: Sequence[str] = ()) -> st.SearchStrategy[bytes]:
    """Raw bodies like `body`, one of whose fields, or an unknown one, has a bad value; now and then all have.

    Args:
        fields: names of more fields that the route takes.
    """
    names = st.sampled_from([*body, *fields]) | bad_texts()
    changes = st.dictionaries(names, bad_values(), min_size=1, max_size=2)
    everything = st.fixed_dictionaries({name: bad_values() for name in body})
    return st.one_of(changes, everything).map(lambda change: raw_json({**body, **change}))


def raw_json(value: Any) -> bytes:
    """The JSON text of `value`: lone surrogates as escapes, raw texts as they are."""
    written = json.dumps(value)  # ASCII, and NaN where a float is one
    mark = json.dumps(RAW)[1:-1]
    parts = written.split(f'"{mark}')
    return "".join([parts[0], *(_raw(part) for part in parts[1:])]).encode()


def _raw(part: str) -> str:
    """What follows the mark up to its closing quote, unquoted."""
    end = next(
        place
        for place, letter in enumerate(part)
        if letter == '"' and (len(part[:place]) - len(part[:place].rstrip("\\"))) % 2 == 0
    )
    return json.loads(f'"{part[:end]}"') + part[end + 1 :]


def ask_whatever(client: Any, method: str, path: str, **request: Any) -> httpx.Response:
    """The answer to a request; fails where it is a fault of the service, or has not the shape of an error."""
    answer: httpx.Response = client.request(method, path, **request)
    assert answer.status_code < 500, (method, path, request, answer.text)
    read = json.loads(answer.content)  # UTF-8, or this fails
    if answer.status_code >= 400:
        assert set(read) == {"error"}
        assert {"code", "message", "request_id"} <= set(read["error"])
        assert len(answer.content) < 10_000, "an error repeats no more than a part of what was sent"
    return answer
