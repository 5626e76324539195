"""Compiling what stands in one route, with every problem in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.expressions.cel import Expression
from authorizer.expressions.template import (
    Template,
    TemplateSyntaxError,
    compile_template,
    references,
)
from authorizer.routing.constraints import objection
from authorizer.routing.vocabulary import VOCABULARY, objection_to
from authorizer.source.document import detached

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.errors import Problem
    from authorizer.expressions.cel import Vocabulary
    from authorizer.routing.pattern import PathPattern
    from authorizer.source.document import Document

# CEL types that may give a string.
_TEXT_TYPES: Final = ("STRING", "DYN")


class Reporter:
    """Collects what is wrong with one route, by the path of the value in its document."""

    def __init__(self, document: Document, base: tuple[str | int, ...]) -> None:
        self.document = document
        self.base = base
        self.problems: list[Problem] = []

    def add(self, path: Sequence[str | int], message: str, hint: str = "", offset: int = 0) -> None:
        """Report a problem; `offset` counts characters into a value that stands on one line."""
        problem = self.document.problem((*self.base, *path), message, hint)
        if offset:
            # A quoted scalar starts with its quote; being one off there is better than nothing.
            problem = type(problem)(
                problem.source, problem.line, problem.column + offset, message, hint
            )
        self.problems.append(problem)


class Compiler:
    """Compiles the templates of one route, and holds their names to what the route offers."""

    def __init__(
        self, path: PathPattern, report: Reporter, vocabulary: Vocabulary = VOCABULARY
    ) -> None:
        self.captures = path.names
        self.report = report
        self.vocabulary = vocabulary

    def field(self, key: str, text: str, where: Sequence[str | int]) -> Template:
        """Return a template that gives a check's `key`; what is wrong with it is reported."""
        template = self.template(text, where)
        problem = ""
        match template.parts:
            case (str(constant),):
                problem = objection(key, constant)
            case (Expression() as expression,) if expression.type_name not in _TEXT_TYPES:
                problem = "it must give a string; use string(…)"
        if problem:
            self.report.add(where, f"`{text}`: {problem}")
        return template

    def template(self, text: str, where: Sequence[str | int]) -> Template:
        """Return a template; what is wrong with it is reported."""
        try:
            template = compile_template(detached(text), self.vocabulary)
        except TemplateSyntaxError as error:
            self.report.add(where, error.reason, offset=error.offset)
            return Template(text, ())
        for _, expression, reference in references(iter((template,))):
            if problem := objection_to(reference, self.captures):
                self.report.add(where, f"`{expression.text}`: {problem}")
        return template

    def text(self, where: tuple[str | int, ...], text: str) -> Template:
        """Return a template in an attribute; what is wrong with it is reported."""
        return self.template(text, where)
