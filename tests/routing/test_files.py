"""Rule files are found where they are looked for, each once; what cannot be read is all told."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

import pytest

from authorizer.errors import RulesError
from authorizer.routing import files
from authorizer.routing.compile import compile_rules
from authorizer.routing.files import Digest, digest, each_rule_file, read_rules
from authorizer.source.yaml import Document, load_yaml, read_yaml


def write(folder: Path, *names: str, text: str = "version: 1\nroutes: []\n") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(*paths: Path) -> list[str]:
    return [document.name for document in read_rules(paths)]


def refusals(*paths: Path) -> list[str]:
    with pytest.raises(RulesError) as refused:
        read_rules(paths)
    return [str(problem) for problem in refused.value.problems]


def test_where_files_come_one_by_one_none_is_kept_while_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.yaml", "b.yaml", "c.yaml")
    named = digest(read_rules([tmp_path]))
    alive: list[weakref.ref[Document]] = []

    def noted(file: Path) -> Document:
        assert [one for one in alive if one() is not None] == []
        document = read_yaml(file)
        alive.append(weakref.ref(document))
        return document

    monkeypatch.setattr(files, "read_yaml", noted)
    taken = Digest()
    compile_rules(taken.passing(each_rule_file([tmp_path])))
    assert len(alive) == 3
    assert str(taken) == named


def test_what_cannot_be_read_is_raised_when_the_others_have_come(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "c.yaml")
    write(tmp_path, "b.yaml", text="a: [")
    seen: list[str] = []
    with pytest.raises(RulesError, match=r"b\.yaml"):
        seen.extend(Path(document.name).name for document in each_rule_file([tmp_path]))
    assert seen == ["a.yaml", "c.yaml"]
    with pytest.raises(RulesError, match=r"b\.yaml"):
        compile_rules(each_rule_file([tmp_path]))


def test_yaml_files_at_any_depth_are_rules_but_for_tests_and_dot_names(tmp_path: Path) -> None:
    write(
        tmp_path, "b.yaml", "a.yml", "x/y/c.yaml", "testing/d.yaml", "tests.yaml", ".e.yaml",
        ".git/f.yaml", "tests/g.yaml", "x/tests/h.yaml", "i.json", "j.yaml.bak", "k",
    )  # fmt: skip
    names = ["a.yml", "b.yaml", "testing/d.yaml", "tests.yaml", "x/y/c.yaml"]
    assert found(tmp_path) == [str(tmp_path / name) for name in names]


def test_what_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    write(tmp_path, "tests/a.yaml", ".hidden/b.yaml", "c.txt")
    paths = tmp_path / "tests", tmp_path / ".hidden", tmp_path / "c.txt"
    assert len(found(*paths)) == 3


def test_a_file_that_is_reached_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    (tmp_path / "z.yaml").symlink_to(tmp_path / "a.yaml")
    assert found(tmp_path, tmp_path / "a.yaml", tmp_path) == [str(tmp_path / "a.yaml")]


def test_a_config_map_is_read_through_its_symlinks(tmp_path: Path) -> None:
    write(tmp_path, "..2026_01/a.yaml")
    (tmp_path / "..data").symlink_to(tmp_path / "..2026_01")
    (tmp_path / "a.yaml").symlink_to(Path("..data") / "a.yaml")
    assert found(tmp_path) == [str(tmp_path / "a.yaml")]


def test_everything_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, "bad.yaml", "more/worse.yaml", text="a: [\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.yaml")
    told = refusals(tmp_path, tmp_path / "missing", tmp_path / "empty")
    for start in ("bad.yaml", "more/worse.yaml", "loop.yaml", "gone.yaml", "pipe.yaml"):
        assert any(text.startswith(str(tmp_path / start)) for text in told), start
    assert any("missing: cannot be read" in text for text in told)
    assert any("empty: no rule file" in text and "denied" in text for text in told)


def test_a_directory_that_leads_into_itself_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml")
    (tmp_path / "again").symlink_to(tmp_path)
    # The system gives up after some forty turns; each of them is the same file.
    assert found(tmp_path) == [str(tmp_path / "a.yaml")]


def test_the_digest_names_the_content_and_nothing_else() -> None:
    one = load_yaml("version: 1\nroutes: [] # nothing", "one.yaml")
    same = load_yaml('{"version": 1, "routes": []}', "elsewhere/two.yaml")
    other = load_yaml("version: 1\nroutes: [{id: a}]", "one.yaml")
    assert digest([one]) == digest([same])
    assert digest([one, other]) == digest([other, same])
    assert len({digest([one]), digest([other]), digest([one, other]), digest([])}) == 4
    assert digest([load_yaml("a: 1", "")]) != digest([load_yaml("a: '1'", "")])
    assert len(digest([one])) == 16
