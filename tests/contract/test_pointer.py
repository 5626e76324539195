import pytest

from authorizer.contract.pointer import is_nameable, pointer


@pytest.mark.parametrize("key", ["subject", "x-tenant", "P_1", "a" * 31])
def test_what_looks_like_a_name_may_be_named(key: str) -> None:
    assert is_nameable(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a" * 32,
        "ann@acme.test",
        "two words",
        "line\n",
        "7",
        "é",
        "a/b",
        # Tokens of Kratos and Hydra.
        "ory_st_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
    ],
)
def test_what_may_be_a_secret_or_a_person_is_not_named(key: str) -> None:
    assert not is_nameable(key)


def test_a_pointer_ends_at_the_object_whose_key_may_not_be_named() -> None:
    assert pointer(["headers", "x-a", 0]) == "/headers/x-a/0"
    assert pointer(["traits", "ann@acme.test", "age"], "/extra") == "/extra/traits"
    assert pointer([]) == ""
