"""Pictures from files by Pillow, within limits that keep a hostile file from taking the machine down."""

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recsys.distribution import install_command
from recsys.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # what Pillow decodes without starting a program
SIDE = 1024  # pixels: larger pictures are made so small; encoders look at less
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class UnreadablePicture:
    """Why a file gives no picture."""

    reason: str
    detail: str


def require_pillow() -> None:
    """Raises:
    ConfigError: Pillow is not installed.
    """
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"images need Pillow. Run `{install_command('images')}`.") from error


def decode_picture(content: bytes, max_pixels: int) -> Picture | UnreadablePicture:
    """(height, width, 3) uint8 RGB of an image file's content, or why there is none.

    Upright as the camera noted, what is transparent on white, no side above SIDE. Of several frames the
    first. The size is read from the header and judged before anything is unpacked.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, softer limit of pixels; odd metadata
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                width, height = image.size
                if width * height > max_pixels:
                    return UnreadablePicture("too_many_pixels", f"{width} x {height}, at most {max_pixels}")
                image.thumbnail((SIDE, SIDE))
                return _on_white(ImageOps.exif_transpose(image))
        except Image.DecompressionBombError as error:
            return UnreadablePicture("too_many_pixels", str(error))
        except UnidentifiedImageError:
            return UnreadablePicture("not_an_image", f"none of {', '.join(FORMATS)}")
        except (OSError, ValueError, SyntaxError, EOFError, OverflowError) as error:
            return UnreadablePicture("broken_image", str(error))


def _on_white(picture: "Image") -> Picture:
    from PIL import Image

    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.new("RGBA", layer.size, "white")
        picture.alpha_composite(layer)
    return np.asarray(picture.convert("RGB"))
