"""From paths to a chain: everything is read here, and what cannot be read is a finding."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.config.loading import load
from authorizer.config.origin import Part
from authorizer.errors import AuthorizerError, SourceError
from authorizer.kratos.identity_schema import read_identity_schema
from authorizer.kratos.principal_schema import principal_schema
from authorizer.kratos.writers import read_writers
from authorizer.lint.access_rules import OathkeeperConfig, access_rule_files, read_access_rules
from authorizer.lint.chain import Chain
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding, from_problems
from authorizer.lint.foreign import read_foreign
from authorizer.lint.places import Sources
from authorizer.lint.policies import is_policy, policy_files, read_policies
from authorizer.lint.ruleset import RuleSet
from authorizer.principals.profiles import compile_profiles
from authorizer.routing.compile import compile_rules
from authorizer.routing.files import read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from authorizer.config.loading import Loaded
    from authorizer.kratos.identity_schema import IdentitySchema
    from authorizer.kratos.writers import Writers
    from authorizer.lint.access_rules import AccessRule
    from authorizer.lint.policies import Policies
    from authorizer.principals.profiles import Profiles
    from authorizer.source.document import Document

_NOTHING: Final[Mapping[str, str]] = {}


class InputMissing(AuthorizerError):
    """What was given to look at is not there, so that nothing can be said of it."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What to look at. Without `rules`, those that the configuration names.

    With the program `cerbos` the policies are compiled too.
    """

    rules: tuple[Path, ...] = ()
    config: Path | None = None
    policies: Path | None = None
    access_rules: Path | None = None
    oathkeeper_config: Path | None = None
    identity_schemas: tuple[Path, ...] = ()
    kratos_config: Path | None = None
    cerbos: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All paths that were given."""
        single = (
            *(self.config, self.policies, self.access_rules, self.oathkeeper_config),
            self.kratos_config,
        )
        named = tuple(path for path in single if path is not None)
        return (*self.rules, *named, *self.identity_schemas)


def gather(inputs: Inputs, findings: list[Finding]) -> Chain:
    """Return the chain; what is wrong with a file is added to `findings`.

    Raises InputMissing for a path that is not there, or that has nothing of what it was given for.
    """
    try:
        return _gather(inputs, findings)
    except OSError as error:
        msg = f"{error.filename}: cannot be read: {error.strerror}"
        raise InputMissing(msg) from error


def _gather(inputs: Inputs, findings: list[Finding]) -> Chain:
    for path in inputs.paths:
        if not path.exists():
            msg = f"{path}: there is no such file or directory"
            raise InputMissing(msg)
    sources = Sources()
    loaded = _settings(inputs, sources, findings)
    profiles = _profiles(loaded, sources, findings)
    oathkeeper = _oathkeeper(inputs.oathkeeper_config, findings)
    return Chain(
        sources=sources,
        oathkeeper=oathkeeper,
        loaded=loaded,
        profiles=profiles,
        rules=_rules(_rule_paths(inputs, loaded), sources, findings),
        policies=_policies(inputs.policies, findings),
        access_rules=_access_rules(inputs.access_rules, oathkeeper, findings),
        schemas=_schemas(inputs.identity_schemas, findings),
        writers=_writers(inputs.kratos_config, findings),
    )


def _settings(inputs: Inputs, sources: Sources, findings: list[Finding]) -> Loaded | None:
    flags = {"--rules": [str(path) for path in inputs.rules] or None}
    try:
        return load(inputs.config, flags, inputs.environ)
    except SourceError as error:
        findings += _own(Code.INVALID_CONFIG, error, sources)
        return None


def _profiles(loaded: Loaded | None, sources: Sources, findings: list[Finding]) -> Profiles | None:
    if loaded is None:
        return None
    principals = loaded.settings.principals
    try:
        return compile_profiles(
            Part(loaded.origin, ("principals", "profiles"), principals.profiles),
            Part(loaded.origin, ("principals", "default"), principals.default),
        )
    except SourceError as error:
        findings += _own(Code.INVALID_CONFIG, error, sources)
        return None


def _own(code: Code, error: SourceError, sources: Sources) -> Iterator[Finding]:
    """Yield what is wrong with a file of ours, where in a block of several lines it stands."""
    for found in from_problems(code, error.problems):
        yield dataclasses.replace(found, place=sources.quoted(found.place, found.message))


def _rule_paths(inputs: Inputs, loaded: Loaded | None) -> tuple[Path, ...]:
    if inputs.rules:
        return inputs.rules
    configured = loaded.settings.rules.paths if loaded is not None else ()
    return tuple(_near(Path(path)) for path in configured)


def _near(path: Path) -> Path:
    """Return a path as a person would write it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _rules(paths: tuple[Path, ...], sources: Sources, findings: list[Finding]) -> RuleSet | None:
    if not paths:
        return None
    try:
        documents = read_rules(paths)
        return RuleSet(documents, compile_rules(documents), sources)
    except SourceError as error:
        findings += _own(Code.INVALID_RULES, error, sources)
        return None


def _oathkeeper(path: Path | None, findings: list[Finding]) -> OathkeeperConfig:
    documents = _documents([path] if path is not None else [], findings)
    return OathkeeperConfig(documents[0] if documents else None)


def _policies(folder: Path | None, findings: list[Finding]) -> Policies | None:
    if folder is None:
        return None
    before = len(findings)
    documents = _documents(policy_files(folder), findings)
    policies = [document for document in documents if is_policy(document)]
    findings += _misformed(policies)
    if len(findings) > before:
        # What cannot be read may know everything.
        return None
    if not policies:
        msg = f"{folder}: there is no Cerbos policy here"
        raise InputMissing(msg)
    return read_policies(policies, folder)


def _misformed(policies: Iterable[Document]) -> Iterator[Finding]:
    from authorizer.pdp.policyform import policy_schema  # noqa: PLC0415 - only who lints policies waits

    schema = policy_schema()
    for document in policies:
        yield from from_problems(Code.INVALID_POLICY, schema.problems(document))


def _access_rules(
    path: Path | None, oathkeeper: OathkeeperConfig, findings: list[Finding]
) -> tuple[AccessRule, ...] | None:
    if path is None:
        return None
    before = len(findings)
    rules = read_access_rules(_documents(access_rule_files(path), findings), oathkeeper)
    if len(findings) > before:
        return None
    if not rules:
        msg = f"{path}: there is no access rule of Oathkeeper here"
        raise InputMissing(msg)
    return rules


def _schemas(paths: tuple[Path, ...], findings: list[Finding]) -> tuple[IdentitySchema, ...] | None:
    if not paths:
        return None
    before = len(findings)
    schemas = []
    for path in paths:
        try:
            schema = read_identity_schema(str(path))
            # What a reference leads to is only known by following it.
            principal_schema([schema])
            schemas.append(schema)
        except SourceError as error:
            findings += from_problems(Code.UNREADABLE_FILE, error.problems)
    return tuple(schemas) if len(findings) == before else None


def _writers(path: Path | None, findings: list[Finding]) -> Writers | None:
    if path is None:
        return None
    try:
        return read_writers(path)
    except SourceError as error:
        findings += from_problems(Code.UNREADABLE_FILE, error.problems)
        return None


def _documents(paths: Iterable[Path], findings: list[Finding]) -> list[Document]:
    documents: list[Document] = []
    for path in paths:
        try:
            documents += read_foreign(path)
        except SourceError as error:
            findings += from_problems(Code.UNREADABLE_FILE, error.problems)
    return documents
