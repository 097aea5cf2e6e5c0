"""Files of options: values with their lines, and errors that name the file and the line."""

import pytest

from agents.cli.options import OptionError
from agents.cli.yaml_file import find_yaml, read_yaml


@pytest.fixture
def write(tmp_path):
    def write(text):
        (tmp_path / "some.yaml").write_text(text)
        return tmp_path / "some.yaml"

    return write


def test_keys_of_the_levels_asked_for_are_strings_with_a_line_and_deeper_ones_are_values(write):
    file = read_yaml(write("on:\n  1:\n    2: [3, {4: 5}]\n"), 2)
    assert file.values == {"on": {"1": {2: [3, {4: 5}]}}}
    assert file.lines == {("on",): 1, ("on", "1"): 2}
    assert read_yaml(write("# nothing\n"), 2).values is None
    assert str(file.error("wrong.", "on", "1")) == f"{file.path}, line 2: wrong."
    assert str(file.error("wrong.", "off")) == f"{file.path}: wrong."


def test_two_spellings_of_one_key_are_one_key_given_twice(write):
    path = write("a: {b-c: 1,\n b_c: 2}\n")
    assert read_yaml(path, 2).values == {"a": {"b-c": 1, "b_c": 2}}
    with pytest.raises(OptionError, match=r"some.yaml, line 2: `b_c` is given twice."):
        read_yaml(path, 2, lambda key: key.replace("-", "_"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x {b: 1}\nc: *x", "some.yaml, line 2: aliases and deep nesting"),
        ("[" * 5000, "some.yaml, line 1: aliases and deep nesting"),
        ("a: [", "some.yaml is not valid YAML"),
        ("a: !!python/object/apply:os.getcwd []", "some.yaml is not valid YAML"),
        ("a: 2020-13-45", "some.yaml is not valid YAML"),
        ("# " + "x" * 100_000, "some.yaml cannot be read: 100,002 bytes"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(write, text, message):
    with pytest.raises(OptionError, match=message):
        read_yaml(write(text), 2)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    for name in ("latin.yaml", "absent.yaml"):
        with pytest.raises(OptionError, match=f"{name} cannot be read"):
            read_yaml(tmp_path / name, 2)


def test_sections_and_mappings_are_checked(write):
    file = read_yaml(write("a: 1\nbb: 2\n"), 2)
    assert file.sections(["a", "bb"]) == {"a": 1, "bb": 2}
    with pytest.raises(OptionError, match=r"line 2: no section `bb`. Did you mean bbb\?"):
        file.sections(["a", "bbb"])
    with pytest.raises(OptionError, match="line 1: `a` takes lines of `option: value`, got 1"):
        file.mapping(1, "a")
    with pytest.raises(OptionError, match="expected sections a, bb"):
        read_yaml(write("- a\n"), 2).sections(["a", "bb"])


def test_a_file_is_found_by_its_path_or_by_its_name_in_the_folder(write, tmp_path):
    path = write("")
    assert find_yaml(str(path), tmp_path / "other", "plan") == path
    assert find_yaml("some", tmp_path, "plan") == path
    with pytest.raises(OptionError, match=r"sone: no such file or plan. Did you mean some\?"):
        find_yaml("sone", tmp_path, "plan")
