"""The look of the shop: what pages and mails show of it, and the settings that say so."""

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from registration.rules.web_address import is_web_address

COLOR = r"^#[0-9a-fA-F]{6}$"
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg"}
LARGEST_FILE = 200_000
"""Bytes of a logo or a style sheet, which stands in every page."""


class ShopSettings(BaseModel):
    """Each field is the variable GATEWAY_<FIELD>, as in `Settings`."""

    shop_name: Annotated[str, Field(max_length=60, description="name of the shop in pages and mails")] = ""
    shop_color: Annotated[
        str, Field(pattern=COLOR, description="of buttons in pages and mails; their text is black or white to suit")
    ] = "#0b57d0"
    shop_logo: Annotated[str, Field(description="SVG, PNG, WebP or JPEG file that pages show above their text")] = ""
    shop_mail_logo: Annotated[
        str, Field(description="https:// address of a PNG or JPEG logo for mails: mail programs show no embedded one")
    ] = ""
    shop_footer: Annotated[
        str, Field(max_length=500, description="a line below pages and mails: the company's name and address")
    ] = ""
    shop_css: Annotated[
        str, Field(description="CSS file that follows the style of our pages; it may embed images, and load nothing")
    ] = ""
    templates_dir: Annotated[
        str, Field(description="directory whose pages/ and mails/ hold templates instead of ours; docs/how-to.md")
    ] = ""
    sign_in_url: Annotated[
        str, Field(description="the shop's sign-in page, where mails and the pages of mailed links lead at their end")
    ] = ""

    @field_validator("sign_in_url")
    @classmethod
    def _is_web_page(cls, value: str) -> str:
        if value and not is_web_address(value):
            raise ValueError("must be an http:// or https:// address")
        return value

    @field_validator("shop_mail_logo")
    @classmethod
    def _is_safe_to_load(cls, value: str) -> str:
        if value and not (is_web_address(value) and value.startswith("https:")):
            raise ValueError("must be an https:// address")
        return value


@dataclass(frozen=True, slots=True)
class Shop:
    """What pages and mails show of the shop; empty for what it does not have.

    `logo` is a data: address for pages, `mail_logo` an https: address for mails. The templates are directories.
    """

    name: str = ""
    color: str = "#0b57d0"
    logo: str = ""
    mail_logo: str = ""
    footer: str = ""
    css: str = ""
    sign_in_url: str = ""
    page_templates: str = ""
    mail_templates: str = ""

    @property
    def text_color(self) -> str:
        """Black or white, whichever can be read better on `color` (WCAG 2.2, contrast ratio)."""
        light = _luminance(self.color) + 0.05
        return "#ffffff" if 1.05 / light >= light / 0.05 else "#000000"


def shop_of(settings: ShopSettings) -> Shop:
    """Reads the files that the settings name. Raises ValueError, which begins with the name of the setting."""
    own = Path(settings.templates_dir) if settings.templates_dir else None
    if own and not (own / "pages").is_dir() and not (own / "mails").is_dir():
        raise ValueError("GATEWAY_TEMPLATES_DIR names no directory with a directory pages or mails in it")
    return Shop(
        name=settings.shop_name,
        color=settings.shop_color,
        logo=_logo(settings.shop_logo) if settings.shop_logo else "",
        mail_logo=settings.shop_mail_logo,
        footer=settings.shop_footer,
        css=_css(settings.shop_css) if settings.shop_css else "",
        sign_in_url=settings.sign_in_url,
        page_templates=str(own / "pages") if own else "",
        mail_templates=str(own / "mails") if own else "",
    )


def _logo(name: str) -> str:
    kind = LOGO_TYPES.get(Path(name).suffix.lower())
    if not kind:
        raise ValueError(f"GATEWAY_SHOP_LOGO must end with one of {', '.join(LOGO_TYPES)}")
    return f"data:{kind};base64,{b64encode(_content('GATEWAY_SHOP_LOGO', name)).decode()}"


def _css(name: str) -> str:
    text = _content("GATEWAY_SHOP_CSS", name).decode("utf-8", "replace")
    if re.search("</style", text, re.IGNORECASE):
        raise ValueError("GATEWAY_SHOP_CSS ends the style element of the page")
    return text


def _content(setting: str, name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"{setting} cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_FILE:
        raise ValueError(f"{setting} is larger than {LARGEST_FILE} bytes")
    return content


@lru_cache  # for each button of each mail
def _luminance(color: str) -> float:
    """The relative luminance of WCAG 2.2, from 0 (black) to 1 (white)."""
    shares = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
