"""Mistakes that a program plants in copies of the example, and how many of them lint finds.

`PYTHONPATH=tests python -m lint.planted` writes the table in docs/lint.md anew. Each kind of
mistake is planted wherever the example has a place for it, so the table follows the example.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from authorizer.lint.codes import Code
from authorizer.lint.gather import InputMissing, Inputs
from authorizer.lint.run import lint

REPOSITORY: Final = Path(__file__).parents[2]
PAGE: Final = REPOSITORY / "docs" / "lint.md"
_MARKED: Final = re.compile(r"(<!-- begin: planted -->\n).*?(<!-- end: planted -->)", re.DOTALL)
_PARTS: Final = ("authorizer.yaml", "cerbos", "kratos", "oathkeeper", "rules")
_SUFFIXES: Final = frozenset((".yaml", ".yml", ".json"))
_NOT_MUTATED: Final = frozenset(("tests", "testdata"))
# Of one kind in one file. More would not show more.
_MAX_IN_FILE: Final = 4
_INPUTS: Final = Inputs(
    config=Path("authorizer.yaml"),
    policies=Path("cerbos/policies"),
    access_rules=Path("oathkeeper/access-rules.yml"),
    oathkeeper_config=Path("oathkeeper/oathkeeper.yml"),
    identity_schemas=(Path("kratos/identity.schema.json"),),
    kratos_config=Path("kratos/kratos.yml"),
)

Files: TypeAlias = Mapping[str, str]


@dataclass(frozen=True)
class Mistake:
    """One mistake: `what` was planted in which file, and the files that have it, by name."""

    file: str
    what: str
    files: Files


Planter: TypeAlias = Callable[[Files], Iterator[Mistake]]


@dataclass(frozen=True)
class Kind:
    """A kind of mistake. `codes` find it; `blind` says why some of them may not be found."""

    name: str
    plant: Planter
    codes: frozenset[Code]
    blind: str = ""


@dataclass(frozen=True)
class Result:
    """What became of the mistakes of one kind."""

    kind: Kind
    planted: tuple[Mistake, ...]
    missed: tuple[Mistake, ...]


def replacing(where: str, pattern: str, new: str | Callable[[re.Match[str]], str]) -> Planter:
    """Return what plants `new` for each text that fits, in files whose name fits."""
    found_in, compiled = re.compile(where), re.compile(pattern)

    def plant(files: Files) -> Iterator[Mistake]:
        for name, text in files.items():
            if not found_in.search(name):
                continue
            mistakes = []
            for found in compiled.finditer(text):
                start = found.end() - len(found.group().lstrip())
                line = text[:start].rpartition("\n")[2]
                written = found.expand(new) if isinstance(new, str) else new(found)
                if line.lstrip().startswith("#") or written == found.group():
                    continue
                mutated = text[: found.start()] + written + text[found.end() :]
                what = f"{_code(found.group())} → {_code(written)}"
                mistakes.append(Mistake(name, what, {name: mutated}))
            yield from mistakes[:_MAX_IN_FILE]

    return plant


def with_profile(profile: str, also: Planter | None = None) -> Planter:
    """Return what gives the configuration a profile, beside each mistake of another planter."""

    def plant(files: Files) -> Iterator[Mistake]:
        text = f"{files['authorizer.yaml']}\nprincipals:\n  profiles:\n    {profile}\n"
        own = {"authorizer.yaml": text}
        if also is None:
            yield Mistake("authorizer.yaml", _code(profile), own)
            return
        for other in also(files):
            yield Mistake(other.file, f"{other.what}, with a profile", {**other.files, **own})

    return plant


def each(*planters: Planter) -> Planter:
    """Return what plants all that several do."""

    def plant(files: Files) -> Iterator[Mistake]:
        for planter in planters:
            yield from planter(files)

    return plant


def misspelled(word: str) -> str:
    """Return a word with two letters swapped, the first that differ."""
    for at in range(1, len(word) - 1):
        if word[at] != word[at + 1]:
            return f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}"
    return f"{word}x"


def _swapped(found: re.Match[str]) -> str:
    """Return the match with its last group misspelled."""
    word = found.group(found.re.groups)
    at = found.start(found.re.groups) - found.start()
    return f"{found.group()[:at]}{misspelled(word)}{found.group()[at + len(word) :]}"


def _code(text: str) -> str:
    """Return a part of a file as a page shows it."""
    text = " ".join(text.split()).replace("|", "\\|").replace("`", "'")
    return f"`{text if len(text) <= 60 else f'{text[:59]}…'}`" if text else "nothing"


_POLICIES: Final = r"^cerbos/policies/(?!_schemas/)"
_CONFIG: Final = r"^authorizer\.yaml$"
_SCHEMA: Final = r"^kratos/.*\.json$"
_KRATOS: Final = r"^kratos/kratos\.yml$"
_RULES: Final = r"^rules/"
_ACCESS_RULES: Final = r"^oathkeeper/access-rules\.yml$"
_OATHKEEPER: Final = r"^oathkeeper/oathkeeper\.yml$"
_PAYLOAD: Final = r"^oathkeeper/"
_REGISTRATION: Final = r"(registration:\n(?:\s*#.*\n)*\s+enabled: )false"
_SETTINGS: Final = r"(profile:\n(?:\s*#.*\n)*\s+enabled: )false"
_FLOWS: Final = each(
    replacing(_KRATOS, _REGISTRATION, r"\1true"), replacing(_KRATOS, _SETTINGS, r"\1true")
)
_SESSION: Final = "shape: session, roles: {always: [user]"
_CLEARANCE: Final = "extra.identity.traits.clearance"
# Sets the trait for everybody, as docs/who-may-write-what.md shows it.
_WITH_DEFAULT: Final = (
    f"kratos: {{{_SESSION}}}, attr: {{clearance: '${{has({_CLEARANCE}) ? {_CLEARANCE} : 0}}'}}}}"
)


def _codes(*codes: Code) -> frozenset[Code]:
    return frozenset(codes)


KINDS: Final = (
    Kind(
        "a trait misspelled in a policy",
        replacing(_POLICIES, r"P\.attr\.(?!auth\b)(\w+)", _swapped),
        _codes(Code.UNKNOWN_TRAIT),
    ),
    Kind(
        "a member of `auth` misspelled in a policy",
        each(
            replacing(_POLICIES, r"P\.attr\.auth\.(\w+)", _swapped),
            replacing(_POLICIES, r"P\.attr\.auth\.(?!claims\b)\w+\.(\w+)", _swapped),
        ),
        _codes(Code.UNKNOWN_AUTH_MEMBER),
    ),
    Kind(
        "`auth` left out in a policy",
        replacing(_POLICIES, r"P\.attr\.auth\.(session|scopes|client_id)", r"P.attr.\1"),
        _codes(Code.UNKNOWN_TRAIT),
    ),
    Kind(
        "an assurance level that Kratos does not have",
        each(replacing(_POLICIES, r'"aal2"', '"AAL2"'), replacing(_POLICIES, r'"aal2"', '"aal3"')),
        _codes(Code.MISTYPED_ATTRIBUTE),
    ),
    Kind(
        "an operation on what may be null",
        replacing(_POLICIES, r'session\.aal == "aal2"', 'session.aal >= "aal2"'),
        _codes(Code.UNGUARDED_ATTRIBUTE),
    ),
    Kind(
        "a profile that rejects whoever lacks a trait",
        each(
            *(
                with_profile(
                    f"kratos: {{{_SESSION}}}, attr: {{x: '${{extra.identity.traits.{x}}}'}}}}"
                )
                for x in ("clearance", "department")
            )
        ),
        _codes(Code.UNGUARDED_ATTRIBUTE),
    ),
    Kind(
        "a claim misspelled in a policy",
        replacing(_POLICIES, r"P\.attr\.auth\.claims\.(\w+)", _swapped),
        # There is no schema of claims. But then the guard and what it guards differ.
        _codes(Code.UNGUARDED_ATTRIBUTE),
    ),
    Kind(
        "a guard left out",
        replacing(_POLICIES, r"has\(P\.attr\.[\w.]+\) &&", "true &&"),
        _codes(Code.UNGUARDED_ATTRIBUTE),
        "Nothing errs for want of it: the identity schema requires the trait of every identity, "
        "or each profile that can have the rule's roles says what is read.",
    ),
    Kind(
        "a constant of another type",
        each(
            replacing(_POLICIES, r"(P\.attr\.[\w.]+ [<>=!]=?=? )(\d+)", r'\1"\2"'),
            replacing(_POLICIES, r'(P\.attr\.[\w.]+ [=!]= )"\w+"', r"\g<1>2"),
        ),
        _codes(Code.MISTYPED_ATTRIBUTE),
    ),
    Kind(
        "a constant of another type than what a profile sets",
        with_profile(
            _WITH_DEFAULT, replacing(_POLICIES, r"(P\.attr\.clearance [<>=!]=?=? )(\d+)", r'\1"\2"')
        ),
        _codes(Code.MISTYPED_ATTRIBUTE),
    ),
    Kind(
        "an integer that is rounded on its way",
        each(
            replacing(_SCHEMA, r'"maximum": 3\b', '"maximum": 9223372036854775807'),
            with_profile(
                _WITH_DEFAULT,
                replacing(_SCHEMA, r'"maximum": 3\b', '"maximum": 9223372036854775807'),
            ),
            with_profile(
                f"kratos: {{{_SESSION}}}, id: '${{{_CLEARANCE}}}'}}",
                replacing(_SCHEMA, r',\s+"maximum": 3\b', ""),
            ),
        ),
        _codes(Code.ROUNDED_INTEGER),
    ),
    Kind(
        "`==` for `in`",
        replacing(_POLICIES, r'("[\w.]+") in (P\.attr\.[\w.]+)', r"\2 == \1"),
        _codes(Code.MISTYPED_ATTRIBUTE),
    ),
    Kind(
        "a profile misspelled in a policy",
        replacing(_POLICIES, r'auth\.profile (?:==|in) [^\n]*?"(\w+)"', _swapped),
        _codes(Code.MISTYPED_ATTRIBUTE),
    ),
    Kind(
        "`=` for `==`",
        replacing(_POLICIES, r"(P\.attr\.[\w.]+) ==", r"\1 ="),
        _codes(Code.INVALID_CONDITION),
    ),
    Kind(
        "a key misspelled in a policy",
        each(
            replacing(_POLICIES, r"\n  (resource|version|rules|name|definitions):", _swapped),
            replacing(_POLICIES, r"\n\s+(effect|roles|derivedRoles|parentRoles|expr):", _swapped),
        ),
        _codes(Code.INVALID_POLICY),
    ),
    Kind(
        "a key missing from a policy",
        replacing(_POLICIES, r"\n\s+(?:version|effect|parentRoles): [^\n]*", ""),
        _codes(Code.INVALID_POLICY),
    ),
    Kind(
        "an effect misspelled in a policy",
        replacing(_POLICIES, r"effect: (\w+)", _swapped),
        _codes(Code.INVALID_POLICY),
    ),
    Kind(
        "an attribute of the resource misspelled in a policy",
        replacing(_POLICIES, r"R\.attr\.(\w+)", _swapped),
        _codes(Code.UNPASSED_ATTRIBUTE),
    ),
    Kind(
        "an action misspelled in a policy",
        replacing(_POLICIES, r"actions: \[(\w+)", _swapped),
        _codes(Code.UNKNOWN_ACTION, Code.UNASKED_ACTION),
    ),
    Kind(
        "a kind misspelled in a policy",
        replacing(_POLICIES, r"resource: (\w+)", _swapped),
        _codes(Code.UNKNOWN_KIND, Code.UNKNOWN_SCOPE, Code.UNASKED_KIND),
    ),
    Kind(
        "a role misspelled in a policy",
        each(
            replacing(_POLICIES, r"\broles: \[(user|client|delegate|anonymous)", _swapped),
            replacing(_POLICIES, r"parentRoles: \[(user|client|delegate|anonymous)", _swapped),
        ),
        _codes(Code.UNKNOWN_ROLE),
    ),
    Kind(
        "an import of derived roles misspelled",
        replacing(_POLICIES, r"importDerivedRoles: \[(?:\w+, )*(\w+)", _swapped),
        _codes(Code.UNKNOWN_DERIVED_ROLES),
    ),
    Kind(
        "a derived role misspelled in a rule",
        replacing(_POLICIES, r"derivedRoles: \[(\w+)", _swapped),
        _codes(Code.UNKNOWN_DERIVED_ROLES),
    ),
    Kind(
        "a variable misspelled in a condition",
        replacing(_POLICIES, r"V\.(\w+)", _swapped),
        _codes(Code.UNKNOWN_VARIABLE),
    ),
    Kind(
        "another meaning, well formed",
        each(
            replacing(_POLICIES, r">= (\d)", r"<= \1"),
            replacing(_POLICIES, r"effect: EFFECT_DENY", "effect: EFFECT_ALLOW"),
            replacing(_POLICIES, r"parentRoles: \[admin\]", "parentRoles: [user]"),
        ),
        _codes(),
        "It is as well formed as what was meant. Tests of policies (`cerbos compile`) and of rules "
        "(`authorizer test`) say what is meant, and fail.",
    ),
    Kind(
        "a trait renamed in the identity schema",
        replacing(_SCHEMA, r'"(org|department|clearance)": {', _swapped),
        _codes(Code.UNKNOWN_TRAIT),
    ),
    Kind(
        "a trait of another type in the identity schema",
        each(
            replacing(_SCHEMA, r'"type": "integer"', '"type": "string"'),
            replacing(_SCHEMA, r'("(?:org|department)": {\s+"type": )"string"', r'\1"array"'),
        ),
        _codes(Code.MISTYPED_ATTRIBUTE),
        "It is compared with an attribute of the resource alone; the types of two attributes are "
        "not held against each other.",
    ),
    Kind(
        "traits that are not closed",
        each(
            replacing(_SCHEMA, r',\s+"additionalProperties": false', ""),
            replacing(_SCHEMA, r'"additionalProperties": false', '"additionalProperties": true'),
        ),
        _codes(Code.OPEN_TRAITS),
    ),
    Kind(
        "a flow of Kratos that lets people write traits",
        each(
            _FLOWS,
            replacing(_KRATOS, r"(registration:\n(?:\s*#.*\n)*\s+)enabled: false", r"\1{}"),
            replacing(_KRATOS, r"(profile:\n(?:\s*#.*\n)*\s+)enabled: false", r"\1{}"),
        ),
        _codes(Code.SELF_WRITTEN_AUTHORITY),
    ),
    Kind(
        "roles from a trait that people write",
        with_profile(
            f"kratos: {{{_SESSION}, from: ['${{[extra.identity.traits.department]}}']}}}}", _FLOWS
        ),
        _codes(Code.SELF_WRITTEN_AUTHORITY),
    ),
    Kind(
        "a trait misspelled in a profile",
        each(
            with_profile(
                f"kratos: {{{_SESSION}}}, attr: {{x: '${{extra.identity.traits.ogr}}'}}}}"
            ),
            with_profile(
                f"kratos: {{{_SESSION}}}, require: ['${{extra.identity.traits.clearence > 1}}']}}"
            ),
        ),
        _codes(Code.UNKNOWN_TRAIT),
    ),
    Kind(
        "a profile of the wrong shape",
        each(
            with_profile("kratos: {shape: claims, roles: {always: [delegate]}}"),
            with_profile("jwt: {shape: introspection, roles: {always: [delegate]}}"),
            with_profile(f"client: {{{_SESSION}}}}}"),
        ),
        _codes(Code.UNNAMED_PROFILE),
    ),
    Kind(
        "issuers that differ",
        each(
            with_profile(
                "jwt: {shape: claims, issuers: ['http://127.0.0.1:4444/'], "
                "roles: {from: ['${holder}']}}"
            ),
            with_profile(
                "jwt: {shape: claims, issuers: ['http://127.0.0.1:4444'], "
                "roles: {from: ['${holder}']}}",
                each(
                    replacing(_OATHKEEPER, r"\n\s+trusted_issuers: .*", ""),
                    replacing(_OATHKEEPER, r"trusted_issuers: \[(.*)\]", r"trusted_issuers: [\1/]"),
                ),
            ),
        ),
        _codes(Code.UNTRUSTED_ISSUER),
    ),
    Kind(
        "a profile misspelled in a payload or a route",
        each(
            replacing(_ACCESS_RULES, r'"profile": \[?(?:"\w+", )*"(\w+)"', _swapped),
            replacing(_RULES, r"profiles: \[(\w+)", _swapped),
        ),
        _codes(Code.UNKNOWN_PROFILE),
    ),
    Kind(
        "a profile missing from a payload",
        replacing(_ACCESS_RULES, r'"profile": \[("\w+"), .*\]', r'"profile": \1'),
        _codes(Code.UNNAMED_PROFILE),
    ),
    Kind(
        "a session without all that it says",
        each(
            replacing(_OATHKEEPER, r'\n\s+extra_from: "@this"', ""),
            replacing(_OATHKEEPER, r'extra_from: "@this"', "extra_from: identity"),
            replacing(
                _ACCESS_RULES,
                r"- handler: (bearer_token|cookie_session)(?=\n)",
                r"- {handler: \1, config: {extra_from: identity.traits}}",
            ),
        ),
        _codes(Code.SESSION_WITHOUT_EXTRA),
    ),
    Kind(
        "a value that is not printed as JSON",
        replacing(_ACCESS_RULES, r"\{\{ (\.[\w.]+) \| toJson \}\}", r'"{{ print \1 }}"'),
        _codes(Code.PAYLOAD_INJECTION),
    ),
    Kind(
        "a key missing from a payload",
        replacing(_ACCESS_RULES, r'\n\s+"(?:subject|method|url)": [^\n]*', ""),
        _codes(Code.PAYLOAD_MALFORMED),
    ),
    Kind(
        "a host that callers choose",
        replacing(_ACCESS_RULES, r"<127[^>]*>", "<[^/]+>"),
        _codes(Code.CHOSEN_HOST),
    ),
    Kind(
        "a pattern that says no host",
        replacing(_ACCESS_RULES, r"url: http://<127[^>]*>:4455/\S*", "url: <.*>"),
        _codes(Code.CHOSEN_HOST),
    ),
    Kind(
        "a handler misspelled, or not enabled",
        each(
            replacing(_ACCESS_RULES, r"handler: (\w+)", _swapped),
            replacing(_OATHKEEPER, r"\n    enabled: true", "\n    enabled: false"),
        ),
        _codes(Code.UNUSABLE_HANDLER),
    ),
    Kind(
        "a remote authorizer that is another program",
        replacing(_OATHKEEPER, r"(remote: http://[^/\s]+)/authorize", r"\1/api/check/resources"),
        _codes(Code.REMOTE_ELSEWHERE),
    ),
    Kind(
        "a payload without what is known of the subject",
        replacing(_ACCESS_RULES, r'\n\s+"extra": [^\n]*', ""),
        _codes(Code.PAYLOAD_WITHOUT_EXTRA),
        "Nothing is known of anonymous callers, so that nothing is missing.",
    ),
    Kind(
        "one of a header's values for all",
        replacing(
            _ACCESS_RULES,
            r"\{\{ (\.MatchContext\.Header\.Values \S+) \| toJson \}\}",
            r"{{ index (\1) 0 | toJson }}",
        ),
        _codes(Code.PAYLOAD_HEADER_GET),
    ),
    Kind(
        "a method missing from an access rule",
        each(
            *(
                replacing(_ACCESS_RULES, rf"(methods: &\w+ \[[^\n]*){method}, ", r"\1")
                for method in ("GET", "POST", "PATCH", "DELETE")
            )
        ),
        _codes(Code.UNREACHABLE_METHOD, Code.UNREACHABLE_ROUTE),
    ),
    Kind(
        "an access rule for a path that is not there",
        replacing(_ACCESS_RULES, r":4455/(\w+)/<", _swapped),
        _codes(Code.UNREACHABLE_ROUTE, Code.UNREACHABLE_METHOD),
    ),
    Kind(
        "settings of Oathkeeper that make callers wait, or say too much",
        each(
            replacing(_OATHKEEPER, r"give_up_after: 10ms", "give_up_after: 5s"),
            replacing(_OATHKEEPER, r"\n\s+retry:\n(?:\s+#.*\n)*\s+give_up_after: 10ms", ""),
            replacing(_OATHKEEPER, r"preserve_query: true", "preserve_query: false"),
        ),
        _codes(Code.STALLING_RETRY, Code.QUERY_TO_KRATOS),
    ),
    Kind(
        "a header misspelled",
        replacing(_OATHKEEPER, r"- X-(\w+)-\w+(?=\n)", _swapped),
        _codes(Code.UNSENT_HEADER),
    ),
    Kind(
        "an attribute misspelled in a route, left out, or of another type",
        each(
            replacing(_RULES, r"attr: \{(\w+):", _swapped),
            replacing(_RULES, r'(attr: \{)organization: "[^"]*"(?:, )?', r"\1"),
            replacing(_RULES, r"(published: )true", r'\1"true"'),
        ),
        _codes(Code.REFUSED_ATTRIBUTE),
    ),
    Kind(
        "a template of another language in a route",
        each(
            replacing(_RULES, r"\bid: \"\$\{(path\.\w+)\}\"", r'id: "{{ \1 }}"'),
            replacing(_RULES, r"\bid: \"\$\{(path\.\w+)\}\"", r'id: "$\1"'),
        ),
        _codes(Code.FOREIGN_TEMPLATE),
    ),
    Kind(
        "a scope that only a lenient search finds a policy for",
        replacing(_CONFIG, r"lenient_scope_search: true", "lenient_scope_search: false"),
        _codes(Code.VARYING_SCOPE),
    ),
    Kind(
        "a kind or an action misspelled in a route",
        each(
            replacing(_RULES, r"kind: (\w+)", _swapped),
            replacing(_RULES, r"action: (\w+)", _swapped),
            replacing(_RULES, r"actions: \{[A-Z]+: (\w+)", _swapped),
        ),
        _codes(Code.UNKNOWN_KIND, Code.UNKNOWN_ACTION),
    ),
)


def example() -> dict[str, str]:
    """Return the files of the example in which mistakes are planted, by name."""
    names = [
        path.relative_to(REPOSITORY)
        for part in _PARTS
        for path in sorted({REPOSITORY / part, *(REPOSITORY / part).rglob("*")})
        if path.suffix in _SUFFIXES
    ]
    return {
        str(name): (REPOSITORY / name).read_text("utf-8")
        for name in names
        if not _NOT_MUTATED & set(name.parts)
    }


@contextlib.contextmanager
def copied(files: Files) -> Iterator[Path]:
    """Give a copy of the example in a folder, in which it is stood."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write(files)
        yield Path(folder)


def write(files: Files) -> None:
    """Write files below where one stands."""
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def found() -> set[Code]:
    """Return the codes of what lint finds where one stands."""
    try:
        return {finding.code for finding in lint(_INPUTS)}
    except InputMissing:
        return {Code.UNREADABLE_FILE}


def results() -> list[Result]:
    """Plant each mistake by itself, and return what was found."""
    files = example()
    collected = []
    with copied(files):
        for kind in KINDS:
            planted, missed = [], []
            for mistake in kind.plant(files):
                write(mistake.files)
                planted.append(mistake)
                if not kind.codes & found():
                    missed.append(mistake)
                write({name: files[name] for name in mistake.files})
            collected.append(Result(kind, tuple(planted), tuple(missed)))
    return collected


def table(collected: list[Result]) -> str:
    """Return the results as Markdown."""
    lines = ["| mistake | planted | found | |", "| --- | --: | --: | --: |"]
    rows = [(result.kind.name, len(result.planted), len(result.missed)) for result in collected]
    total = ("**all**", sum(row[1] for row in rows), sum(row[2] for row in rows))
    for name, planted, lost in (*rows, total):
        share = f"{100 * (planted - lost) // planted} %"
        lines.append(f"| {name} | {planted} | {planted - lost} | {share} |")
    lines += ["", "What was missed, and why:", ""]
    for kind, missed in ((result.kind, result.missed) for result in collected if result.missed):
        lines.append(f"- {kind.name[0].upper()}{kind.name[1:]}. {kind.blind}")
        lines += dict.fromkeys(f"  - {mistake.what} in `{mistake.file}`" for mistake in missed)
    return "\n".join(lines)


def refreshed(page: str, collected: list[Result]) -> str:
    """Return the page with the table between its markers."""
    return _MARKED.sub(lambda found: f"{found[1]}{table(collected)}\n{found[2]}", page)


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text("utf-8"), results()), "utf-8")
    sys.stdout.write("docs/lint.md\n")
