"""Signed texts: what was signed comes back, and nothing else is believed."""

import base64
import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from recsys.signed_text import SIGNATURE_BYTES, sign_text, verified_body

KEY = b"k" * 32


@given(st.binary(max_size=60))
def test_what_was_signed_comes_back(body: bytes) -> None:
    text = sign_text(KEY, "page", body)
    assert verified_body(KEY, "page", text) == body
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def test_the_signature_is_the_first_half_of_the_hmac() -> None:
    packed = base64.urlsafe_b64decode(sign_text(KEY, "page", b"body") + "==")
    assert packed == hmac.digest(KEY, b"page\0body", hashlib.sha256)[:SIGNATURE_BYTES] + b"body"


@given(st.binary(max_size=40), st.data())
def test_no_other_text_is_believed(body: bytes, data: st.DataObject) -> None:
    text = sign_text(KEY, "page", body)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(exclude_categories=["Cs"]))
    for changed in (
        text[:place] + letter + text[place + 1 :],
        text[:place] + letter + text[place:],
        text[:place],
        text + "=",
        text + "\n",
    ):
        assert changed == text or verified_body(KEY, "page", changed) is None


def test_another_key_or_purpose_is_not_believed() -> None:
    text = sign_text(KEY, "page", b"body")
    assert verified_body(b"o" * 32, "page", text) is None
    assert verified_body(KEY, "cursor", text) is None
    assert verified_body(KEY, "page\0b", sign_text(KEY, "page", b"b\0ody")) is None
