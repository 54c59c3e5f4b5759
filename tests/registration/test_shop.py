"""The look of the shop, read from its settings."""

from pathlib import Path

import pytest

from registration.environment import SettingsError
from registration.settings import Settings
from registration.shop import LARGEST_FILE, Shop, shop_of
from registration.wiring import open_shop


def test_without_settings_it_is_plain() -> None:
    """By default pages have our colour and show nothing of a shop."""
    assert shop_of(Settings()) == Shop()


def test_logo_and_style_stand_in_the_page(tmp_path: Path) -> None:
    """The logo becomes a data: address and the style sheet a text, because pages load nothing."""
    logo, css = tmp_path / "logo.SVG", tmp_path / "shop.css"
    logo.write_text("<svg/>")
    css.write_text("main { border-radius: 0 }")
    shop = shop_of(Settings(shop_name="Shop", shop_footer="Shop Ltd", shop_logo=str(logo), shop_css=str(css)))
    assert (shop.name, shop.footer, shop.css) == ("Shop", "Shop Ltd", "main { border-radius: 0 }")
    assert shop.logo == "data:image/svg+xml;base64,PHN2Zy8+"


@pytest.mark.parametrize(
    ("setting", "name", "content", "reason"),
    [
        ("shop_logo", "logo.gif", b"", "GATEWAY_SHOP_LOGO must end with one of .svg, .png, .webp, .jpg"),
        ("shop_logo", "logo.png", None, "GATEWAY_SHOP_LOGO cannot be read: No such file or directory"),
        ("shop_css", "x.css", b"x" * (LARGEST_FILE + 1), f"GATEWAY_SHOP_CSS is larger than {LARGEST_FILE} bytes"),
        ("shop_css", "x.css", b"a{}</STYLE><script>", "GATEWAY_SHOP_CSS ends the style element of the page"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, setting: str, name: str, content: bytes | None, reason: str) -> None:
    """What cannot stand in a page stops the start with the name of the setting."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as error:
        open_shop(Settings.model_validate({setting: str(path)}))
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("color", "text"), [("#0b57d0", "#ffffff"), ("#ffd500", "#000000"), ("#000000", "#ffffff"), ("#FFFFFF", "#000000")]
)
def test_the_text_of_a_button_can_be_read(color: str, text: str) -> None:
    """The text is black on a light colour, and white on a dark one."""
    assert Shop(color=color).text_color == text
