"""Flags win over the environment, that over the file; what is wrong is refused in its place."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from authorizer.config.keys import FLAGS, config_keys
from authorizer.config.loading import Loaded, load
from authorizer.config.settings import Enforcement, LogFormat, LogLevel, Settings
from authorizer.errors import ConfigError
from authorizer.source.document import Place

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    """Make a working directory with rules and policies in it, and in the folder of another file."""
    for base in (tmp_path, tmp_path / "etc"):
        for name in ("rules", "policies"):
            (base / name).mkdir(parents=True)
    return tmp_path


def loaded(
    folder: Path,
    text: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Loaded:
    """Load `text` as the authorizer.yaml of `folder`."""
    if text is not None:
        (folder / "authorizer.yaml").write_text(text)
    return load(None, flags, environ, folder)


def refusals(folder: Path, text: str | None = None, **layers: Any) -> list[str]:  # noqa: ANN401 - as `loaded` has them
    with pytest.raises(ConfigError) as refused:
        loaded(folder, text, **layers)
    return [str(problem) for problem in refused.value.problems]


def at(settings: Settings, path: tuple[str, ...]) -> object:
    value: object = settings
    for name in path:
        value = getattr(value, name)
    return value


# setting; what the file, the environment and a flag write; what each means
LAYERS: list[tuple[str, tuple[str, str, object], tuple[object, object, object]]] = [
    (
        "server.listen",
        ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"),
        ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"),
    ),
    (
        "admin.listen",
        ("127.0.0.1:1", "[::1]:2", "localhost:3"),
        ("127.0.0.1:1", "[::1]:2", "localhost:3"),
    ),
    (
        "pdp.endpoints",
        ("[localhost:1]", "localhost:2, unix:/x", ["localhost:3"]),
        (("localhost:1",), ("localhost:2", "unix:/x"), ("localhost:3",)),
    ),
    ("server.deadline", ("1s", "250ms", None), (1.0, 0.25, None)),
    ("server.unavailable_status", ("503", "501", None), (503, 501, None)),
    ("server.max_body", ("64KiB", "2MiB", None), (65536, 2 * 1024**2, None)),
    ("server.max_in_flight", ("7", "8", None), (7, 8, None)),
    ("server.max_wait", ("1s", "0s", None), (1.0, 0.0, None)),
    ("server.max_connections", ("7", "8", None), (7, 8, None)),
    ("server.header_timeout", ("1s", "2s", None), (1.0, 2.0, None)),
    ("server.body_timeout", ("1s", "2s", None), (1.0, 2.0, None)),
    ("server.idle_timeout", ("1m", "90s", None), (60.0, 90.0, None)),
    ("server.drain_delay", ("1s", "0s", None), (1.0, 0.0, None)),
    ("server.drain_timeout", ("1s", "1m", None), (1.0, 60.0, None)),
    ("server.ready_requires_pdp", ("true", "false", None), (True, False, None)),
    ("server.insecure_plaintext", ("true", "false", None), (True, False, None)),
    ("admin.insecure_plaintext", ("true", "false", None), (True, False, None)),
    ("pdp.attempt_timeout", ("50ms", "1s", None), (0.05, 1.0, None)),
    ("pdp.insecure_plaintext", ("true", "false", None), (True, False, None)),
    ("pdp.tls.server_name", ("a", "b", None), ("a", "b", None)),
    ("principals.default", ("anonymous", "NO", None), ("anonymous", "NO", None)),
    ("principals.keep", ("64KiB", "2MiB", None), (65536, 2 * 1024**2, None)),
    ("cache.max_size", ("64KiB", "2MiB", None), (65536, 2 * 1024**2, None)),
    (
        "principals.profiles",
        ("{a: {shape: kratos}}", "{b: {roles: [x]}}", None),
        ({"a": {"shape": "kratos"}}, {"b": {"roles": ["x"]}}, None),
    ),
    ("enforcement", ("observe", "enforce", None), (Enforcement.OBSERVE, Enforcement.ENFORCE, None)),
    ("log.format", ("json", "console", None), (LogFormat.JSON, LogFormat.CONSOLE, None)),
    ("log.level", ("debug", "error", None), (LogLevel.DEBUG, LogLevel.ERROR, None)),
    ("log.queue", ("5", "6", None), (5, 6, None)),
    ("server.workers", ("2", "3", 4), (2, 3, 4)),
]
# Files that are named have to be there: these have tests of their own below.
FILES = {"server.tls.certificate", "server.tls.key", "server.shared_secret", "pdp.tls.ca",
         "pdp.tls.certificate",
         "pdp.tls.key", "pdp.embedded.policies", "pdp.embedded.cerbos", "pdp.embedded.key_sets",
         "rules.paths"}  # fmt: skip
# Means nothing without a file that is named.
BESIDE_A_FILE = {"pdp.embedded.lenient_scope_search"}


@pytest.mark.parametrize(("setting", "written", "meant"), LAYERS, ids=[row[0] for row in LAYERS])
def test_each_layer_wins_over_those_below(
    folder: Path,
    setting: str,
    written: tuple[str, str, object],
    meant: tuple[object, object, object],
) -> None:
    path = tuple(setting.split("."))
    in_file, in_environment, in_flag = written
    text = "".join(f"{' ' * depth}{name}:\n" for depth, name in enumerate(path))
    text = f"{text.rstrip()} {in_file}\n"
    variable = "AUTHORIZER__" + "__".join(path).upper()
    environ = {variable: in_environment, "PATH": "/bin", "AUTHORIZER_X": "not ours"}

    from_file = loaded(folder, text)
    assert at(from_file.settings, path) == meant[0]
    place = from_file.origin.place(path, key=True)
    assert (place.source, place.line, place.column) == ("authorizer.yaml", len(path), len(path))

    from_environment = loaded(folder, text, environ=environ)
    assert at(from_environment.settings, path) == meant[1]
    assert from_environment.origin.place(path) == Place(variable)

    lower = {variable.lower(): in_environment}
    assert at(loaded(folder, text, environ=lower).settings, path) == meant[1]

    flag = next((flag for flag, to in FLAGS.items() if to == path), None)
    if flag is not None:
        from_flag = loaded(folder, text, environ=environ, flags={flag: in_flag})
        assert at(from_flag.settings, path) == meant[2]
        assert from_flag.origin.place(path) == Place(flag)


def test_the_table_above_knows_every_setting() -> None:
    known = {row[0] for row in LAYERS} | FILES | BESIDE_A_FILE
    assert known == {key.dotted for key in config_keys()}


def test_how_scopes_are_searched_stays_where_other_policies_are_named(folder: Path) -> None:
    def searched(inner: str, **more: Any) -> bool:  # noqa: ANN401 - any layer
        embedded = loaded(folder, f"pdp: {{embedded: {{{inner}}}}}", **more).settings.pdp.embedded
        assert embedded is not None
        return embedded.lenient_scope_search

    given = "policies: policies, lenient_scope_search: true"
    assert not searched("policies: policies")
    assert searched(given)
    assert searched(given, flags={"--embedded-pdp": "policies"})
    variable = "AUTHORIZER__PDP__EMBEDDED__LENIENT_SCOPE_SEARCH"
    assert not searched(given, environ={variable: "false"})
    assert searched("policies: policies", environ={variable: "true"})


def test_nothing_given_is_the_defaults(folder: Path) -> None:
    found = loaded(folder)
    assert found.file is None
    assert found.settings.server == Settings().server
    assert found.settings.pdp == Settings().pdp
    assert found.settings.rules.paths == (str(folder / "rules"),)


@pytest.mark.parametrize("text", ["", "# server:\n", "---\n"])
def test_an_empty_file_is_the_defaults(folder: Path, text: str) -> None:
    assert loaded(folder, text).settings == loaded(folder).settings


def test_a_flag_that_was_not_given_sets_nothing(folder: Path) -> None:
    found = loaded(folder, flags=dict.fromkeys(FLAGS))
    assert found.settings == loaded(folder).settings


def test_a_file_that_is_named_and_missing_is_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^other\.yaml: cannot be read: No such file"):
        load(Path("other.yaml"), cwd=folder)


def test_a_default_file_that_is_a_dangling_link_is_an_error(folder: Path) -> None:
    (folder / "authorizer.yaml").symlink_to("gone")
    assert refusals(folder)[0].startswith("authorizer.yaml: cannot be read: No such file")


def test_relative_paths_start_from_the_file_or_from_the_working_directory(folder: Path) -> None:
    (folder / "etc" / "a.yaml").write_text("pdp: {embedded: {policies: policies}}\n")
    config = Path("etc/a.yaml")
    settings = load(config, cwd=folder).settings
    assert settings.pdp.embedded is not None
    assert settings.pdp.embedded.policies == str(folder / "etc" / "policies")
    assert settings.rules.paths == (str(folder / "etc" / "rules"),)

    environ = {"AUTHORIZER__PDP__EMBEDDED__POLICIES": "policies"}
    settings = load(config, {"--rules": ["rules"]}, environ, folder).settings
    assert settings.pdp.embedded is not None
    assert settings.pdp.embedded.policies == str(folder / "policies")
    assert settings.rules.paths == (str(folder / "rules"),)


def test_a_program_without_a_slash_is_left_to_be_looked_up(folder: Path) -> None:
    found = loaded(folder, "pdp: {embedded: {policies: policies, cerbos: cerbos}}")
    assert found.settings.pdp.embedded is not None
    assert found.settings.pdp.embedded.cerbos == "cerbos"
    assert refusals(folder, flags={"--cerbos": "./cerbos"}) == [
        f"--cerbos: {folder / 'cerbos'} is not a program that can be run"
    ]


def test_a_key_set_is_a_file_or_a_url(folder: Path) -> None:
    (folder / "keys.json").write_text("{}")
    urls = {"h": "https://auth.acme.test/jwks", "l": "http://127.0.0.1:4444/jwks"}
    listed = "".join(f", {name}: '{url}'" for name, url in urls.items())
    text = f"pdp: {{embedded: {{policies: policies, key_sets: {{f: keys.json{listed}}}}}}}"
    embedded = loaded(folder, text).settings.pdp.embedded
    assert embedded is not None
    assert embedded.key_sets == {"f": str(folder / "keys.json"), **urls}
    trusted = "insecure_plaintext: true, embedded: {policies: policies, key_sets: {a: 'http://a'}}"
    assert loaded(folder, f"pdp: {{{trusted}}}").settings.pdp.embedded is not None


def test_naming_a_pdp_in_a_stronger_place_displaces_the_other_kind(folder: Path) -> None:
    embedded = "pdp: {embedded: {policies: policies}}\n"
    found = loaded(folder, embedded, flags={"--pdp": ["localhost:1"]})
    assert found.settings.pdp.embedded is None
    assert found.settings.pdp.endpoints == ("localhost:1",)

    environ = {"AUTHORIZER__PDP__ENDPOINTS": "localhost:1"}
    found = loaded(folder, environ=environ, flags={"--embedded-pdp": "policies"})
    assert found.settings.pdp.endpoints == ()
    assert found.settings.pdp.embedded is not None
    assert found.origin.place(("pdp", "endpoints")).source == "the default of `pdp.endpoints`"


def test_both_kinds_of_pdp_in_one_place_are_an_error(folder: Path) -> None:
    text = "pdp:\n  embedded: {policies: policies}\n  endpoints: [localhost:1]\n"
    expected = "`pdp.endpoints` and `pdp.embedded` are both given (leave one of them out)"
    assert refusals(folder, text) == [f"authorizer.yaml:3:3: {expected}"]
    flags = {"--pdp": ["localhost:1"], "--embedded-pdp": "policies"}
    assert refusals(folder, flags=flags) == [f"--pdp: {expected}"]


def test_to_serve_one_kind_of_pdp_is_needed_and_the_error_says_how(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^authorizer\.yaml: names no PDP \(give --pdp"):
        loaded(folder, "server: {}\n").require_pdp()
    loaded(folder, flags={"--pdp": ["localhost:1"]}).require_pdp()
    loaded(folder, flags={"--embedded-pdp": "policies"}).require_pdp()


def test_all_problems_of_all_layers_are_told_at_once(folder: Path) -> None:
    text = "server:\n  lisen: 1\n  deadline: 5\nlog: {format: jsn}\n"
    environ = {
        "AUTHORIZER__SERVER": "x",
        "AUTHORIZER__SERVER__LISTN": "x",
        "AUTHORIZER__QQQ": "x",
        "AUTHORIZER__LOG__QUEUE": "many",
        "AUTHORIZER__SERVER__INSECURE_PLAINTEXT": "yes",
        "AUTHORIZER__PDP__ENDPOINTS": "[a",
    }
    found = refusals(folder, text, environ=environ, flags={"--admin-listen": "8081"})
    assert found[0].startswith("AUTHORIZER__PDP__ENDPOINTS: while parsing a flow sequence")
    assert found[1:4] == [
        "AUTHORIZER__QQQ: no setting has this variable (docs/configuration.md lists them all)",
        (
            "AUTHORIZER__SERVER: no setting has this variable"
            " (it is a group; set its keys, such as AUTHORIZER__SERVER__LISTEN)"
        ),
        (
            "AUTHORIZER__SERVER__LISTN: no setting has this variable"
            " (did you mean AUTHORIZER__SERVER__LISTEN?)"
        ),
    ]
    assert found[4:] == [
        "authorizer.yaml:2:3: unknown key `lisen` (did you mean `listen`?)",
        (
            "authorizer.yaml:3:13: expected a duration above zero with its unit (ms, s, m or h),"
            " such as 500ms, 2s or 1m, found a whole number"
        ),
        "authorizer.yaml:4:15: expected `auto`, `json` or `console` (did you mean `json`?)",
        "AUTHORIZER__SERVER__INSECURE_PLAINTEXT: expected true or false, found a string",
        (
            "--admin-listen: expected host:port, such as 127.0.0.1:8080"
            " (0.0.0.0:8080 for every interface)"
        ),
        "AUTHORIZER__LOG__QUEUE: expected a whole number, found a string",
    ]


def test_two_variables_for_one_setting_are_an_error(folder: Path) -> None:
    environ = {"AUTHORIZER__LOG__LEVEL": "info", "authorizer__log__level": "info"}
    assert refusals(folder, environ=environ) == [
        "authorizer__log__level: sets the same as AUTHORIZER__LOG__LEVEL (leave one of them out)"
    ]


@pytest.mark.parametrize("value", ["", " ", "[]"])
def test_an_empty_variable_is_not_taken_for_absent(folder: Path, value: str) -> None:
    found = refusals(folder, environ={"AUTHORIZER__PDP__ENDPOINTS": value})
    assert found == ["AUTHORIZER__PDP__ENDPOINTS: expected at least 1 item"]


def test_what_a_flag_overrides_has_to_be_right_all_the_same(folder: Path) -> None:
    found = refusals(folder, "server: {listen: 8080}\n", flags={"--listen": "127.0.0.1:1"})
    assert found == [
        (
            "authorizer.yaml:1:18: expected host:port, such as 127.0.0.1:8080"
            " (0.0.0.0:8080 for every interface), found a whole number"
        )
    ]


def test_what_a_group_needs_may_come_from_another_layer(folder: Path) -> None:
    text = "pdp: {embedded: {cerbos: cerbos}}\n"
    assert refusals(folder, text) == ["authorizer.yaml:1:7: `policies` is missing"]
    embedded = loaded(folder, text, flags={"--embedded-pdp": "policies"}).settings.pdp.embedded
    assert embedded is not None
    assert embedded.cerbos == "cerbos"


@pytest.mark.parametrize("text", ["[]", "text", "server: []", "server: {listen: {}}", "pdp: 5"])
@pytest.mark.parametrize("flags", [{}, {"--listen": "127.0.0.1:1", "--pdp": ["localhost:1"]}])
def test_a_file_of_the_wrong_shape_is_refused_whatever_is_laid_over_it(
    folder: Path, text: str, flags: dict[str, object]
) -> None:
    found = refusals(folder, text, flags=flags)
    assert found
    assert all(refusal.startswith("authorizer.yaml:1:") for refusal in found)


def test_a_broken_file_is_told_beside_the_environment(folder: Path) -> None:
    found = refusals(folder, "a: NO\na: 1\n", environ={"AUTHORIZER__X": "1"})
    assert [refusal.split(": ")[0] for refusal in found] == [
        "authorizer.yaml:1:4",
        "authorizer.yaml:2:1",
        "AUTHORIZER__X",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server: {listen: '0.0.0.0:80'}", "1:18: 0.0.0.0:80 can be reached from other machines"),
        (
            "admin: {listen: 'host.test:80'}",
            "1:17: host.test:80 can be reached from other machines",
        ),
        (
            "{server: {insecure_plaintext: true}, admin: {listen: '0.0.0.0:80'}}",
            "1:54: 0.0.0.0:80 can be reached from other machines",
        ),
        ("pdp: {endpoints: [cerbos.internal]}", "1:19: expected host:port, such as"),
        ("pdp: {embedded: {polices: policies}}", "1:18: unknown key `polices` (did you mean"),
        ("pdp: {endpoints: ['localhost:1', 'a.test:1']}", "1:34: a.test:1 is on another machine"),
        ("server: {listen: '127.0.0.1:99999'}", "1:18: '127.0.0.1:99999' has no port from 0"),
        ("pdp: {endpoints: ['1.2.3:1']}", "1:19: '1.2.3:1' has an IPv4 address that is none"),
        ("pdp: {endpoints: ['a:1', 'a:1'], tls: {}}", "1:26: a:1 is there twice"),
        ("pdp: {endpoints: ['dns:///a:1']}", "1:19: dns:///a:1 is on another machine"),
        ("admin: {listen: '127.0.0.1:8080'}", "1:17: 127.0.0.1:8080 is taken by `server.listen`"),
        ("server: {unavailable_status: 500}", "1:30: expected 501 or 503"),
        ("server: {tls: {key: k}}", "1:10: `certificate` is missing"),
        ("pdp: {tls: {key: k}}", "1:13: `key` needs `certificate` beside it"),
        ("pdp: {embedded: {policies: gone}}", "1:28: {folder}/gone cannot be read: No such file"),
        ("rules: {paths: [rules, gone]}", "1:24: {folder}/gone cannot be read: No such file"),
        ("pdp: {tls: {ca: rules}}", "1:17: {folder}/rules is not a file"),
        (
            "pdp: {embedded: {policies: policies, key_sets: {a: gone.json}}}",
            "1:52: {folder}/gone.json cannot be read: No such file",
        ),
        (
            "pdp: {embedded: {policies: policies, key_sets: {a: 'http://auth.acme.test/jwks'}}}",
            "1:52: keys would be fetched from another machine without TLS",
        ),
        (
            "pdp: {embedded: {policies: policies, key_sets: {a: 'http:///jwks'}}}",
            "1:52: expected a path, or a URL that begins with https://",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    folder: Path, text: str, expected: str
) -> None:
    (found,) = refusals(folder, text)
    assert found.startswith("authorizer.yaml:" + expected.replace("{folder}", str(folder)))


@pytest.mark.parametrize(
    "text",
    [
        "server: {listen: '0.0.0.0:80', insecure_plaintext: true}",
        "admin: {listen: '0.0.0.0:80', insecure_plaintext: true}",
        "pdp: {endpoints: ['a.test:1'], tls: {}}",
        "pdp: {endpoints: ['a.test:1'], insecure_plaintext: true}",
        "pdp: {endpoints: ['unix:/run/cerbos.sock', '[::1]:1', 'localhost:1']}",
        "{server: {listen: '127.0.0.1:0'}, admin: {listen: '127.0.0.1:0'}}",
    ],
)
def test_settings_that_fit_together_are_accepted(folder: Path, text: str) -> None:
    loaded(folder, text)


def test_a_listener_with_a_certificate_may_be_reached(folder: Path) -> None:
    for name, mode in (("c.pem", 0o644), ("k.pem", 0o640)):
        (folder / name).touch()
        (folder / name).chmod(mode)
    text = "server: {listen: '0.0.0.0:80', tls: {certificate: c.pem, key: k.pem}}"
    settings = loaded(folder, text).settings
    assert settings.server.tls is not None
    assert settings.server.tls.key == str(folder / "k.pem")


def test_a_private_key_that_everyone_may_read_is_refused(folder: Path) -> None:
    for name in ("c.pem", "k.pem"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    for group in ("server", "pdp"):
        (found,) = refusals(folder, f"{group}: {{tls: {{certificate: c.pem, key: k.pem}}}}")
        assert f"{folder / 'k.pem'}: everyone on this machine may read this private key" in found
        assert "chmod o=" in found


def test_a_shared_secret_is_read_before_anything_starts(folder: Path) -> None:
    secret = folder / "secret"
    text = "server: {shared_secret: secret}"
    (found,) = refusals(folder, text)
    assert found.startswith(f"authorizer.yaml:1:25: {secret} cannot be read: No such file")
    for content, mode, said in (
        ("x" * 32, 0o644, "everyone on this machine may read this shared secret (chmod o="),
        ("too-short", 0o640, "line 1 is not 32 to 1024 characters long (write one or two lines"),
    ):
        secret.write_text(content)
        secret.chmod(mode)
        (found,) = refusals(folder, text)
        assert found.startswith(f"authorizer.yaml:1:25: {secret}: {said}")
        assert content not in found
    secret.write_text("x" * 32)
    assert loaded(folder, text).settings.server.shared_secret == str(secret)


def test_a_file_that_may_not_be_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so that the refusal is made up here."""
    (folder / "ca.pem").touch()

    def forbidden(self: Path, *_: object) -> None:
        raise PermissionError(13, os.strerror(13), str(self))

    text = "pdp: {tls: {ca: ca.pem}}"
    (folder / "authorizer.yaml").write_text(text)
    original = Path.open

    def opened(self: Path, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as it is
        return forbidden(self) if self.name == "ca.pem" else original(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", opened)
    assert refusals(folder) == [
        f"authorizer.yaml:1:17: {folder / 'ca.pem'} cannot be read: Permission denied"
    ]


def test_the_origin_names_the_line_of_what_a_later_check_refuses(folder: Path) -> None:
    text = "principals:\n  profiles:\n    staff:\n      id: '${x}'\n      roles: [user]\n"
    origin = loaded(folder, text).origin
    path = ("principals", "profiles", "staff", "roles", 0)
    assert str(origin.problem(path, "is unknown")) == "authorizer.yaml:5:15: is unknown"
    place = origin.place(("principals", "profiles", "staff"), key=True)
    assert str(place) == "authorizer.yaml:3:5"
    missing = origin.place(("principals", "profiles", "staff", "require"))
    assert str(missing) == "authorizer.yaml:4:7", "what has it, where there is none"

    variable = {"AUTHORIZER__PRINCIPALS__PROFILES": "{staff: {roles: [x]}}"}
    origin = loaded(folder, text, environ=variable).origin
    assert str(origin.place(path)) == "AUTHORIZER__PRINCIPALS__PROFILES"


def test_the_origin_of_what_nothing_set_is_the_settings_default(folder: Path) -> None:
    (folder / "rules").rmdir()
    for text in (None, "pdp: {tls: {}}\n"):
        (found,) = refusals(folder, text)
        rules = folder / "rules"
        assert found.startswith(f"the default of `rules.paths`: {rules} cannot be read: No such")


def test_what_was_loaded_can_be_sent_to_another_process(folder: Path) -> None:
    """With all that it takes to say where something is wrong in it."""
    here = loaded(folder, "server: {workers: 2}\nprincipals: {profiles: {p: {shape: session}}}\n")
    there = pickle.loads(pickle.dumps(here))  # noqa: S301 - our own
    assert there.settings == here.settings
    path = ("principals", "profiles", "p", "shape")
    assert there.origin.place(path) == here.origin.place(path) == Place("authorizer.yaml", 2, 36)
