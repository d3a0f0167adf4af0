"""A report.html as a test reads it."""

from html.parser import HTMLParser

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_UNSEEN = ("style", "title", "desc")


class Page(HTMLParser):
    """The elements of a page with their attributes and texts.

    Attributes:
        elements: in the order of the page: name, attributes, and the text inside.
        text: all that a reader sees, with single spaces.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self._seen: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self._seen).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag != "wbr":  # where a name may be broken, it has no space
            self.handle_data(" ")
        text: list[str] = []
        self.elements.append((tag, dict(attributes), text))
        self._open.append((tag, text))

    def handle_endtag(self, tag: str) -> None:
        while any(name == tag for name, _ in self._open) and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, text in self._open:
            text.append(data)
        if not any(name in _UNSEEN for name, _ in self._open):
            self._seen.append(data)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.elements if name == tag]

    def texts(self, *tags: str) -> list[str]:
        return [" ".join("".join(text).split()) for name, _, text in self.elements if name in tags]

    def levels(self) -> list[int]:
        """Of the headings, from 1."""
        return [int(name[1]) for name, *_ in self.elements if name in _HEADINGS]

    def rows(self, first: str) -> list[str]:
        """Of all tables, the rows whose first cell begins with this."""
        return [row for row in self.texts("tr") if row.startswith(first)]
