"""What tells the text vectors of one home or bundle from those of another."""


def vectors_of(encoder: str, precision: str | None) -> str:
    """What tells text vectors apart: the encoder as the settings name it, and int8 from all other precisions.

    >>> vectors_of("minilm", "float32"), vectors_of("minilm", "int8")
    ('minilm', 'minilm int8')
    """
    return f"{encoder} int8" if precision == "int8" else encoder
