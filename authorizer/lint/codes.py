"""The names of all kinds of findings. They are stable: people search for them and count them."""

from __future__ import annotations

import enum
from typing import Final


class Severity(enum.StrEnum):
    """How bad it is: what `serve` or a PDP refuses, what is probably a mistake, what to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(enum.StrEnum):
    """A kind of finding; docs/lint.md has a section for each."""

    # what `serve` would refuse, and what nobody can read
    INVALID_CONFIG = "invalid-config"
    INVALID_RULES = "invalid-rules"
    UNREADABLE_FILE = "unreadable-file"
    INVALID_POLICY = "invalid-policy"
    # rules against Cerbos policies
    UNKNOWN_KIND = "unknown-kind"
    UNKNOWN_ACTION = "unknown-action"
    UNKNOWN_POLICY_VERSION = "unknown-policy-version"
    UNKNOWN_SCOPE = "unknown-scope"
    VARYING_SCOPE = "varying-scope"
    UNPASSED_ATTRIBUTE = "unpassed-attribute"
    REFUSED_ATTRIBUTE = "refused-attribute"
    UNKNOWN_DERIVED_ROLES = "unknown-derived-roles"
    UNKNOWN_VARIABLE = "unknown-variable"
    UNASKED_KIND = "unasked-kind"
    UNASKED_ACTION = "unasked-action"
    INVALID_CONDITION = "invalid-condition"
    UNCHECKED_CONDITION = "unchecked-condition"
    UNKNOWN_ROLE = "unknown-role"
    CONFUSED_CONDITIONS = "confused-conditions"
    CACHED_TIME = "cached-time"
    # rules, profiles and policies against identity schemas, and Kratos's configuration
    UNKNOWN_TRAIT = "unknown-trait"
    UNKNOWN_AUTH_MEMBER = "unknown-auth-member"
    MISTYPED_ATTRIBUTE = "mistyped-attribute"
    UNGUARDED_ATTRIBUTE = "unguarded-attribute"
    ROUNDED_INTEGER = "rounded-integer"
    SELF_WRITTEN_AUTHORITY = "self-written-authority"
    OPEN_TRAITS = "open-traits"
    # rules by themselves
    UNKNOWN_PROFILE = "unknown-profile"
    FOREIGN_TEMPLATE = "foreign-template"
    # rules against access rules
    UNREACHABLE_ROUTE = "unreachable-route"
    UNREACHABLE_METHOD = "unreachable-method"
    UNCOVERED_SPACE = "uncovered-space"
    UNPASSED_HEADER = "unpassed-header"
    UNSENT_HEADER = "unsent-header"
    UNFORWARDED_HEADER = "unforwarded-header"
    REWRITTEN_PATH = "rewritten-path"
    UPSTREAM_PATH = "upstream-path"
    CHOSEN_HOST = "chosen-host"
    OVERLAPPING_ACCESS_RULES = "overlapping-access-rules"
    UNCHECKED_PATTERN = "unchecked-pattern"
    # the payload
    PAYLOAD_INJECTION = "payload-injection"
    PAYLOAD_HEADER_GET = "payload-header-get"
    PAYLOAD_ALL_HEADERS = "payload-all-headers"
    PAYLOAD_CREDENTIALS = "payload-credentials"
    PAYLOAD_MALFORMED = "payload-malformed"
    PAYLOAD_UNCHECKED = "payload-unchecked"
    PAYLOAD_WITHOUT_PROFILE = "payload-without-profile"
    PAYLOAD_WITHOUT_EXTRA = "payload-without-extra"
    PAYLOAD_FORWARDED_URI = "payload-forwarded-uri"
    # authenticators, and how we are asked
    UNUSABLE_HANDLER = "unusable-handler"
    REMOTE_ELSEWHERE = "remote-elsewhere"
    UNNAMED_PROFILE = "unnamed-profile"
    SESSION_WITHOUT_EXTRA = "session-without-extra"
    ANONYMOUS_SUBJECT = "anonymous-subject"
    UNTRUSTED_ISSUER = "untrusted-issuer"
    QUERY_TO_KRATOS = "query-to-kratos"
    STALLING_RETRY = "stalling-retry"
    MAX_DELAY = "max-delay"

    @property
    def severity(self) -> Severity:
        """How bad findings of this kind are."""
        return _OTHER.get(self, Severity.WARNING)


_OTHER: Final = {
    Code.INVALID_CONFIG: Severity.ERROR,
    Code.INVALID_RULES: Severity.ERROR,
    Code.UNREADABLE_FILE: Severity.ERROR,
    Code.INVALID_POLICY: Severity.ERROR,
    Code.UNKNOWN_DERIVED_ROLES: Severity.ERROR,
    Code.UNKNOWN_VARIABLE: Severity.ERROR,
    Code.INVALID_CONDITION: Severity.ERROR,
    Code.UPSTREAM_PATH: Severity.NOTE,
    Code.VARYING_SCOPE: Severity.NOTE,
    Code.UNASKED_KIND: Severity.NOTE,
    Code.UNASKED_ACTION: Severity.NOTE,
    Code.UNCHECKED_CONDITION: Severity.NOTE,
    Code.UNCHECKED_PATTERN: Severity.NOTE,
    Code.ROUNDED_INTEGER: Severity.NOTE,
    Code.PAYLOAD_UNCHECKED: Severity.NOTE,
}
