"""Texts signed with a secret key: base64 of an HMAC-SHA256 and of what it signs, safe in a URL.

Everybody can read them; nobody without the key can change them.
"""

import base64
import binascii
import hashlib
import hmac

SIGNATURE_BYTES = 16  # of the 32 of SHA-256: RFC 2104, section 5, allows half


def sign_text(key: bytes, purpose: str, body: bytes) -> str:
    """`body` with its signature.

    Args:
        purpose: what the text is for. One that was signed for something else is not verified.

    >>> text = sign_text(b"key", "page", b"seen")
    >>> verified_body(b"key", "page", text), verified_body(b"key", "ad", text)
    (b'seen', None)
    """
    return _encode(_signature(key, purpose, body) + body)


def verified_body(key: bytes, purpose: str, text: str) -> bytes | None:
    """What `sign_text` was given, if `text` is what it wrote with this key and purpose, to the letter.

    Each body has one text only: base64 with other spare bits or foreign characters is refused, so that nobody
    can present one signed text as several. Signatures are compared in constant time.
    """
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    signature, body = packed[:SIGNATURE_BYTES], packed[SIGNATURE_BYTES:]
    genuine = hmac.compare_digest(signature, _signature(key, purpose, body))
    return body if genuine and _encode(packed) == text else None


def _signature(key: bytes, purpose: str, body: bytes) -> bytes:
    signed = purpose.encode() + b"\0" + body
    return hmac.new(key, signed, hashlib.sha256).digest()[:SIGNATURE_BYTES]


def _encode(packed: bytes) -> str:
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")
