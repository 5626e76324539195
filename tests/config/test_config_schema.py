"""The schema is the truth: complete, in step with the types, the defaults and the reference."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from authorizer.config.addresses import parse_endpoint, parse_listener
from authorizer.config.keys import FLAGS, Key, config_keys, config_schema
from authorizer.config.loading import decode, load
from authorizer.config.reference import BEGIN, END, refreshed
from authorizer.config.settings import Settings
from authorizer.errors import ConfigError
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
DEFINITION = config_schema().definition


def groups(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "properties" in node:
        yield path, node
        for name, inner in node["properties"].items():
            yield from groups(inner, f"{path}.{name}".lstrip("."))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(DEFINITION)


@pytest.mark.parametrize(
    ("path", "group"), [*groups(DEFINITION)], ids=lambda value: str(value)[:20]
)
def test_every_group_is_closed_and_described(path: str, group: Mapping[str, Any]) -> None:
    assert group["additionalProperties"] is False, path
    assert group["description"].endswith("."), path


@pytest.mark.parametrize("key", config_keys(), ids=lambda key: key.dotted)
def test_every_key_has_a_description_a_default_and_examples_that_are_valid(key: Key) -> None:
    assert key.node["description"].endswith(".")
    assert key.required or ("default" in key.node) != ("x-default" in key.node)
    assert key.node["examples"]
    # Whole, so that a group's other keys and references are there too.
    validator = Draft202012Validator({**key.node, "$defs": DEFINITION["$defs"]})
    for value in (*key.node["examples"], *([key.node["default"]] if "default" in key.node else [])):
        assert list(validator.iter_errors(value)) == []


def nested(path: tuple[str, ...], value: object) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def merged(into: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in other.items():
        into[name] = merged(into.get(name, {}), value) if isinstance(value, dict) else value
    return into


def decoded(written: Mapping[str, Any]) -> Settings:
    return decode(written, lambda _: Path("/base"))


def test_the_defaults_that_the_schema_tells_are_those_of_the_types() -> None:
    for key in config_keys():
        if "default" in key.node and not key.required:
            beside: dict[str, Any] = {}
            for other in config_keys():
                if other.required and other.path[:-1] == key.path[:-1]:
                    merged(beside, nested(other.path, other.node["examples"][0]))
            given = merged(copy.deepcopy(beside), nested(key.path, key.node["default"]))
            assert decoded(given) == decoded(beside), key.dotted
    relative = msgspec.structs.replace(decoded({}), rules=Settings().rules)
    assert relative == Settings()


def test_the_schema_and_the_types_know_the_same_keys() -> None:
    def fields(struct: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - a type
        for field in msgspec.inspect.type_info(struct).fields:  # type: ignore[attr-defined] # a struct
            inner = field.type
            kinds = inner.types if isinstance(inner, msgspec.inspect.UnionType) else (inner,)
            struct_types = [kind for kind in kinds if isinstance(kind, msgspec.inspect.StructType)]
            if struct_types:
                yield from fields(struct_types[0].cls, (*path, field.name))
            else:
                yield (*path, field.name)

    assert set(fields(Settings)) == {key.path for key in config_keys()}


def test_every_flag_sets_a_setting() -> None:
    assert set(FLAGS.values()) <= {key.path for key in config_keys()}


# Valid and invalid values for every kind of setting; each meets every key.
_VALUES = [
    *("", "text", "NO", "a\0b", "127.0.0.1:80", "unix:/run/x", "localhost", "http://a:1", "dns:///a:1"),
    *("0s", "500ms", "1.5s", "5", "1000000s", "5 s", "1MiB", "0B", "0.5KiB", "1GB", "5s\n"),
    *("enforce", "observe", "auto", "json", "debug", "info", "kratos"),
    *(True, False, 0, 1, -1, 501, 502, 503, 501.0, 0.5, 10**7 + 1, 10**15),
    *([], [""], ["a"], ["localhost:1"], ["localhost:1", "unix:/x"], [1], [["a"]]),
    *({}, {"a": {}}, {"a": {"shape": "kratos", "x": [1]}}, {"": {}}, {"a": 1}, {"key": "k"}),
]  # fmt: skip


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Return a configuration of a few settings, each right or wrong, and rarely one unknown."""
    written: dict[str, Any] = {}
    for key in draw(st.lists(st.sampled_from(config_keys()), max_size=4, unique=True)):
        sensible = [*key.node["examples"], key.node.get("default", key.node["examples"][0])]
        value = draw(st.sampled_from(sensible) | st.sampled_from(_VALUES))
        merged(written, nested(key.path, value))
    for path in draw(
        st.lists(st.sampled_from([path for path, _ in groups(DEFINITION)]), max_size=1)
    ):
        wrong = draw(st.sampled_from([{"unknown": 1}, [], "text", 5]))
        if path and "." not in path:
            written[path] = wrong
        elif isinstance(wrong, dict):
            written["unknown"] = 1
    return written


def types_accept(written: Mapping[str, Any]) -> bool:
    """Whether it decodes, its addresses are ones, and a client certificate has its key."""
    try:
        settings = decoded(written)
        parse_listener(settings.server.listen)
        parse_listener(settings.admin.listen)
        for endpoint in settings.pdp.endpoints:
            parse_endpoint(endpoint)
    except ValueError:
        return False
    tls = settings.pdp.tls
    return tls is None or (tls.certificate is None) == (tls.key is None)


@given(configurations())
@example({"server": {"deadline": "0s"}})
@example({"server": {"deadline": 5}})
@example({"server": {"unavailable_status": 501.0}})
@example({"pdp": {"tls": {"certificate": "c"}}})
@example({"principals": {"profiles": {"a": 1}}})
def test_the_schema_and_the_types_agree_on_what_is_valid(written: dict[str, Any]) -> None:
    document = load_yaml(json.dumps(written), "a.json")
    assert (config_schema().problems(document) == []) == types_accept(written)


@pytest.mark.parametrize("key", config_keys(), ids=lambda key: key.dotted)
def test_a_setting_that_is_left_empty_is_refused(key: Key) -> None:
    """`tls:` with nothing under it must not mean "no TLS", though the types have a None."""
    for length in range(1, len(key.path) + 1):
        document = load_yaml(json.dumps(nested(key.path[:length], None)), "a.json")
        assert config_schema().problems(document)


def test_the_reference_is_up_to_date() -> None:
    """Otherwise: python -m authorizer.config.reference docs/configuration.md."""
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert page == refreshed(page)
    for key in config_keys():
        assert f"| `{key.dotted}` |" in page
    for flag in FLAGS:
        assert f"Flag: `{flag}`" in page


def test_a_page_without_the_markers_is_refused() -> None:
    for page in ("", BEGIN, END):
        with pytest.raises(ValueError, match="needs the lines"):
            refreshed(page)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_what_the_page_shows_is_what_happens(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    right, wrong, *_ = blocks(page, "yaml")
    (refusal,) = blocks(page, "text")
    (tmp_path / "rules").mkdir()
    file = tmp_path / "authorizer.yaml"

    file.write_text(right)
    assert load(cwd=tmp_path).settings.server.deadline == 0.25

    file.write_text(wrong)
    with pytest.raises(ConfigError) as refused:
        load(None, {"--pdp": ["cerbos.internal"]}, {}, tmp_path)
    assert f"{refused.value}\n" == refusal


def test_the_variables_that_the_page_shows_are_accepted(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    shown = dict(re.findall(r"`(AUTHORIZER__[A-Z_]+)=(.+?)`", page))
    assert len(shown) == 4
    (tmp_path / "rules").mkdir()
    load(None, {}, shown, tmp_path)
