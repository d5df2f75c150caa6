"""What a web page does not show: scripts, navigation, struck text, and what its markup hides."""

from __future__ import annotations

import re

from thoth.ingest.tags import Tag

# Elements without text to read.
_SKIPPED = set(
    """script style template noscript iframe audio video canvas nav menu search
    button datalist noembed noframes rp""".split()
)
# Text that no longer holds; where one of these is never closed, it is no more than a slip.
_STRUCK = {"del", "s", "strike"}

# Elements without an end, and those that begin and end where the page does: not skipped for an attribute.
_NEVER_HIDDEN = set(
    """area base br col embed hr img input link meta param source track wbr html head body frameset thead tbody tfoot
    colgroup math""".split()
)
_BLOCK_STARTS = set(
    """p address article aside blockquote details dialog div dl fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr
    main ol pre section table ul""".split()
)
# Elements whose end tag may be missing -> the start tags that end them as well.
_UNCLOSED = {
    "p": _BLOCK_STARTS,
    "li": {"li"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "tr": {"tr", "tbody", "tfoot"},
    "td": {"td", "th", "tr", "tbody", "tfoot"},
    "th": {"td", "th", "tr", "tbody", "tfoot"},
    "option": {"option", "optgroup"},
}
# Where one of these ends, what is open in it has ended too.
_AROUND = {"table", "ul", "ol", "dl", "div", "select", "body"}

_NAVIGATION = {"navigation", "search", "menu", "menubar", "toolbar"}
_HIDDEN = ("display:none", "visibility:hidden", "line-through", "mso-hide:all")
# Numbers of lines beside code, as Pygments, Rouge and highlight.js write them.
_LINE_NUMBERS = re.compile(r"(?:^|\s)(?:linenos?|linenodiv|hljs-ln-numbers|rouge-gutter|line-numbers-rows)(?:\s|$)")


# The inside of a component, as browsers save it (declarative shadow DOM).
_SHOWN_TEMPLATE = re.compile(r"\bshadowroot(?:mode)?\b", re.IGNORECASE)


class Hidden:
    """Whether what is being read of a page is left out; the outermost element that is decides.

    Args:
        markup: the page.
    """

    def __init__(self, markup: str) -> None:
        lower = markup.lower()
        self._struck = {name for name in _STRUCK if _count(lower, f"<{name}") <= lower.count(f"</{name}")}
        self._has_tex = 'type="math/tex' in lower or "type='math/tex" in lower
        self._name, self._depth = "", 0  # the element that is left out, and how many are open in it

    def __bool__(self) -> bool:
        return self._depth > 0

    def begins(self, name: str, tag: Tag) -> bool:
        """Tell whether a tag begins an element that is left out, and note it."""
        if name == "template" and _SHOWN_TEMPLATE.search(tag.source):
            return False
        if tag.end or not (name in _SKIPPED or name in self._struck or self.hides(name, tag)):
            return False
        self.skip(name, 0 if tag.empty else 1)
        return True

    def skip(self, name: str, depth: int = 1) -> None:
        """Leave out an element up to its end."""
        self._name, self._depth = name, depth

    def goes_on(self, name: str, tag: Tag) -> bool:
        """Take a tag within what is left out; return whether it belongs to it."""
        starts = _UNCLOSED.get(self._name)
        if starts is None:
            if name == self._name and not tag.empty:
                self._depth += -1 if tag.end else 1
        elif self._depth == 1 and tag.end and name == self._name:
            self._depth = 0
        elif self._depth == 1 and not tag.end and name in starts:
            self._depth = 0
            return False
        elif name in _AROUND and not tag.empty:
            self._depth += -1 if tag.end else 1
            return self._depth > 0
        return True

    def hides(self, name: str, tag: Tag) -> bool:
        """Tell an element that is there and not shown."""
        if name in _NEVER_HIDDEN or not (tag.source or name in ("option", "dialog")):
            return False
        attributes = tag.attributes()
        style = attributes.get("style", "").replace(" ", "").lower()
        classes = attributes.get("class", "")
        return (
            ("hidden" in attributes and attributes["hidden"] != "until-found")
            or "popover" in attributes
            or attributes.get("aria-hidden") == "true"
            or attributes.get("role") in _NAVIGATION
            or (name == "dialog" and "open" not in attributes)
            or (name == "option" and "selected" not in attributes)
            or any(word in style for word in _HIDDEN)
            or _LINE_NUMBERS.search(classes) is not None
            or (self._has_tex and classes.startswith(("MathJax", "mjx-", "MJX")))
        )


def _count(markup: str, opening: str) -> int:
    """Count start tags; a longer name that begins alike is another tag."""
    return len(re.findall(rf"{opening}(?=[\s>])", markup))
