"""Elements of HTML and SVG. Text and attributes are escaped where they are written out, all of them."""

from __future__ import annotations

from xml.etree import ElementTree

Element = ElementTree.Element
Child = Element | str


def tag(name: str, /, *children: Child, **attributes: object) -> Element:
    """An element. Of an attribute's name a trailing ``_`` falls and an inner one becomes ``-``."""
    element = Element(
        name, {k.rstrip("_").replace("_", "-"): _text(v) for k, v in attributes.items()}
    )
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            if last is None:
                element.text = (element.text or "") + child
            else:
                last.tail = (last.tail or "") + child
        else:
            element.append(child)
            last = child
    return element


def page(root: Element) -> str:
    """An HTML document."""
    return (
        "<!doctype html>\n" + ElementTree.tostring(root, encoding="unicode", method="html") + "\n"
    )


def _text(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
