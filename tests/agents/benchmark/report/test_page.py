"""The HTML report: whole in one file, and nothing in it is taken for markup."""

from html.parser import HTMLParser
from pathlib import Path

from agents.benchmark.report.page import page


class Seen(HTMLParser):
    """Tags with their attributes, and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def count(self, name: str) -> int:
        """How many tags of a name there are."""
        return sum(tag == name for tag, _ in self.tags)


def make(tmp_path: Path) -> Seen:
    figure = tmp_path / "curves.png"
    figure.write_bytes(b"picture")
    figure.with_name("curves-dark.png").write_bytes(b"darker")
    table = {"Scores <1>": [["", "lstm"], ["recall", "0.5 & more"]]}
    return Seen(page("A & B", "today", table, ["a <note>"], [figure], "tasks: {}\n"))


def test_it_requests_nothing(tmp_path: Path) -> None:
    seen = make(tmp_path)
    sources = [
        attrs[name] for _, attrs in seen.tags for name in ("src", "srcset", "href") if name in attrs
    ]
    assert len({*sources}) == 2
    assert all(str(source).startswith("data:image/png;base64,") for source in sources)
    assert not [tag for tag, _ in seen.tags if tag in ("link", "iframe")]


def test_every_text_is_there_and_is_no_markup(tmp_path: Path) -> None:
    texts = make(tmp_path).texts
    assert {"A & B", "today", "a <note>", "Scores <1>", "0.5 & more", "tasks: {}\n"} <= {*texts}


def test_the_columns_of_a_table_are_buttons_with_names(tmp_path: Path) -> None:
    seen = make(tmp_path)
    assert seen.count("th") == seen.count("button") == 2
    assert {"subject", "lstm"} <= {*seen.texts}
