"""Suites: what rules are expected to make of requests, run and measured."""
