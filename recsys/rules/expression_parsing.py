"""A segment's text to its predicate: `purchases_30d >= 3 and top_category == 'PASTA'`.

    or      := and ("or" and)*
    and     := not ("and" not)*
    not     := "not" not | "(" or ")" | test
    test    := FIELD ("==" | "!=" | "<" | "<=" | ">" | ">=" | "contains") VALUE
             | FIELD ["not"] "in" "[" VALUE ("," VALUE)* "]"
             | FIELD "is" ["not"] "missing"

Nothing is evaluated as Python. Whatever is wrong is an error that names the place.
"""

import re
from dataclasses import dataclass
from typing import NoReturn, cast

from recsys.errors import DataError, did_you_mean
from recsys.rules.expressions import (
    AllOf,
    AnyOf,
    Comparison,
    IsMissing,
    Literal_,
    Not,
    Operator,
    Predicate,
    keyed,
)
from recsys.rules.fields import ANY_ATTRIBUTE, ATTRIBUTE, FieldNames, Kind

MAX_LENGTH = 1000  # characters
MAX_DEPTH = 20  # parentheses and `not` within one another
MAX_TESTS = 50
MAX_VALUES = 100  # of one list

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>-?(?:\d+(?:\.\d+)?|\.\d+)(?![\w.]))
    | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | (?P<name>[^\W\d][\w.]*(?:-\w+)*)
    | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE,
)
_WORDS = frozenset({"and", "or", "not", "in", "is", "missing", "contains"})
_ORDERED = ("<", "<=", ">", ">=")
_END = "the end"


@dataclass(frozen=True)
class _Token:
    kind: str  # number, text, name, word, sign or end
    text: str
    at: int  # from 1


def parse_expression(text: str, names: FieldNames = ANY_ATTRIBUTE) -> Predicate:
    """The predicate that `text` says.

    Raises:
        DataError: an unknown field, a value of another kind, or a mistake in writing; the place is named.

    >>> parse_expression("purchases_30d >= 3").operator
    '>='
    """
    if len(text) > MAX_LENGTH:
        raise DataError(
            f"the expression has {len(text)} characters, {MAX_LENGTH} are allowed. Make two segments of it."
        )
    parser = _Parser(text, _tokens(text), names)
    predicate = parser.any_of(0)
    parser.expect_end()
    return predicate


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            at = place + len(text[place:]) - len(text[place:].lstrip())
            _fail(text, at + 1, f"{text[at]!r} begins nothing that is known")
        kind = str(match.lastgroup)
        token = match.group(kind)
        kind = "word" if kind == "name" and token.lower() in _WORDS else kind
        found.append(
            _Token(kind, token.lower() if kind == "word" else token, match.start(str(match.lastgroup)) + 1)
        )
        place = match.end()
    found.append(_Token("end", _END, end + 1))
    return found


def _fail(text: str, at: int, what: str) -> NoReturn:
    end = "" if what.endswith("?") else "."
    raise DataError(f"in the expression {text!r}, character {at}: {what}{end}")


class _Parser:
    """Reads tokens from left to right; one method for each line of the grammar."""

    def __init__(self, text: str, tokens: list[_Token], names: FieldNames) -> None:
        self._text = text
        self._tokens = tokens
        self._names = names
        self._place = 0
        self._tests = 0

    def any_of(self, depth: int) -> Predicate:
        parts = [self._all_of(depth)]
        while self._take("or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def expect_end(self) -> None:
        if self._next.kind != "end":
            self._fail_here("`and`, `or` or the end was expected")

    def _all_of(self, depth: int) -> Predicate:
        parts = [self._not(depth)]
        while self._take("and"):
            parts.append(self._not(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _not(self, depth: int) -> Predicate:
        if depth > MAX_DEPTH:
            self._fail_here(f"more than {MAX_DEPTH} parentheses within one another", said=False)
        if self._take("not"):
            return Not(self._not(depth + 1))
        if self._take("("):
            inner = self.any_of(depth + 1)
            self._expect(")")
            return inner
        return self._test()

    def _test(self) -> Predicate:
        token = self._next
        if token.kind != "name":
            self._fail_here("the name of a field was expected")
        kind = self._kind(token)
        self._place += 1
        self._tests += 1
        if self._tests > MAX_TESTS:
            self._fail_here(f"more than {MAX_TESTS} comparisons", said=False)
        if self._take("is"):
            negated = self._take("not")
            self._expect("missing")
            return Not(IsMissing(token.text)) if negated else IsMissing(token.text)
        operator = self._operator()
        values = (
            self._list(kind, operator) if operator in ("in", "not in") else (self._value(kind, operator),)
        )
        compared = keyed(values) if kind in ("key", "keys") else frozenset[float | str | int](values)
        return Comparison(token.text, operator, values, compared)

    def _kind(self, token: _Token) -> Kind:
        kind = self._names.kind(token.text)
        if kind is None:
            near = did_you_mean(token.text, self._names.names())
            known = self._names.attributes
            hint = ""
            if token.text.startswith(ATTRIBUTE) and known is not None:
                named = ", ".join(f"{ATTRIBUTE}{name}" for name in sorted(known)[:10])
                hint = f" Attributes of users are: {named or 'none, the import has none'}"
            _fail(self._text, token.at, f"unknown field {token.text!r}.{near}{hint}".rstrip("."))
        return kind

    def _operator(self) -> Operator:
        token = self._next
        if self._take("not"):
            self._expect("in")
            return "not in"
        if token.text not in ("==", "!=", *_ORDERED, "in", "contains") or token.kind not in ("sign", "word"):
            hint = " (two `=` compare)" if token.text == "=" else ""
            self._fail_here(f"==, !=, <, <=, >, >=, in, not in, contains or is was expected{hint}")
        self._place += 1
        return cast(Operator, token.text)

    def _list(self, kind: Kind, operator: Operator) -> tuple[Literal_, ...]:
        self._expect("[")
        values = [self._value(kind, operator)]
        while self._take(","):
            values.append(self._value(kind, operator))
        if len(values) > MAX_VALUES:
            self._fail_here(f"{len(values)} values in a list, {MAX_VALUES} are allowed", said=False)
        self._expect("]")
        return tuple(values)

    def _value(self, kind: Kind, operator: Operator) -> Literal_:
        token = self._next
        if token.kind not in ("number", "text"):
            self._fail_here("a number or a text in quotes was expected")
        self._check_kind(token, kind, operator)
        self._place += 1
        if token.kind == "number":
            return float(token.text)
        return re.sub(r"\\(.)", r"\1", token.text[1:-1])

    def _check_kind(self, token: _Token, kind: Kind, operator: Operator) -> None:
        number = token.kind == "number"
        if kind == "number" and (not number or operator == "contains"):
            self._fail_here("the field is a number: compare it with one")
        if kind in ("text", "texts", "key", "keys") and number:
            self._fail_here("the field is a text: compare it with one in quotes")
        if operator in _ORDERED and (not number or kind not in ("number", "any")):
            self._fail_here(f"{operator} compares numbers only")
        if operator == "contains" and kind == "key":
            self._fail_here("contains looks into texts and lists; use == or in")

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self, text: str) -> bool:
        token = self._next
        if token.text == text and token.kind in ("word", "sign"):
            self._place += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self._fail_here(f"`{text}` was expected")

    def _fail_here(self, what: str, said: bool = True) -> NoReturn:
        token = self._next
        found = _END if token.kind == "end" else f"{token.text!r}"
        _fail(self._text, token.at, f"{what}, found {found}" if said else what)
