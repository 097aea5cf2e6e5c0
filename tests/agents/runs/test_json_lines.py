"""A log of lines that survives a full disk."""

from pathlib import Path

from agents.runs.json_lines import JsonLines


def test_a_line_after_an_incomplete_one_is_whole(tmp_path: Path) -> None:
    log = JsonLines(tmp_path / "log.jsonl")
    log.append({"frame": 1})
    with log.file.open("a") as file:
        file.write('{"frame": 2, "lo')  # the disk was full
    for frame in (3, 4):
        log.append({"frame": frame})
    assert [line["frame"] for line in log.read()] == [1, 3, 4]
    assert len(log.file.read_text().splitlines()) == 4
    log.drop_after(3)
    assert [line["frame"] for line in log.read()] == [1, 3]
