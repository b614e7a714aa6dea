"""Titles as weighted words: the plain text baseline beside the encoder's vectors."""

import re
from collections.abc import Sequence

import numpy as np
from scipy import sparse

# A Chinese or Japanese character is a word of its own: those scripts put no spaces.
_WORD = re.compile(r"[㐀-鿿぀-ヿ]|[^\W_㐀-鿿぀-ヿ]+")


def split_words(text: str) -> list[str]:
    """The words of `text` in lower case.

    >>> split_words("Xbox-360: 無線 pad")
    ['xbox', '360', '無', '線', 'pad']
    """
    return _WORD.findall(text.lower())


def tfidf_matrix(texts: Sequence[str]) -> sparse.csr_matrix:
    """(len(texts), W) sparse float32 rows of unit length, zero where a text has no word.

    weight of word w in text t = (1 + log count(w, t)) log((1 + n) / (1 + texts with w)) , then / |row|
    """
    vocabulary: dict[str, int] = {}
    rows: list[int] = []
    columns: list[int] = []
    for row, text in enumerate(texts):
        for word in split_words(text):
            rows.append(row)
            columns.append(vocabulary.setdefault(word, len(vocabulary)))
    shape = (len(texts), max(len(vocabulary), 1))
    matrix = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    used = np.bincount(matrix.indices, minlength=shape[1])
    rarity = np.log((1 + len(texts)) / (1 + used)).astype(np.float32)
    matrix.data = (1 + np.log(matrix.data)) * rarity[matrix.indices]
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.diags(1 / np.maximum(norms, 1e-9)).astype(np.float32) @ matrix
