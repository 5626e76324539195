from __future__ import annotations

from authorizer.server.places import Places


def test_there_are_as_many_places_as_the_limit_says() -> None:
    places = Places(2)
    assert [places.take(), places.take(), places.take()] == [True, True, False]
    assert places.taken == 2


def test_a_place_that_is_given_back_can_be_taken_again() -> None:
    places = Places(1)
    assert places.take()
    places.give_back()
    assert places.taken == 0
    assert places.take()
