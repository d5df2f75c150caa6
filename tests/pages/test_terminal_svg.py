"""Pictures of a terminal."""

from xml.etree import ElementTree

from benchmarks.terminal_svg import svg

SVG = "{http://www.w3.org/2000/svg}"


def test_text_grounds_and_styles() -> None:
    blue = "\x1b[48;2;0;0;255m     \n     \x1b[0m\n"  # a style lasts over the end of a line
    screen = f"\x1b[1;38;2;255;0;0mred\x1b[0m  a<b\n{blue}\x1b[7mx\x1b[0m\n"
    root = ElementTree.fromstring(svg(screen, 10, "#000000", "#ffffff"))
    texts = {node.text: node for node in root.iter(f"{SVG}text")}
    assert set(texts) == {"red", "a<b", "x"}
    assert (texts["red"].get("fill"), texts["red"].get("font-weight")) == ("#ff0000", "bold")
    assert texts["a<b"].get("fill") == "#ffffff"
    assert texts["x"].get("fill") == "#000000"
    grounds = [node for node in root.iter(f"{SVG}rect") if node.get("x")]
    assert [node.get("fill") for node in grounds] == ["#0000ff", "#ffffff"]  # two lines of blue are one box
    assert "http" not in svg(screen, 10, "#000000", "#ffffff").replace("http://www.w3.org/2000/svg", "")
