"""Work done once for all municipalities."""

import evalkit
from evalkit import shared
from evalkit.shared import adopt, once, sharing


def test_a_result_is_computed_the_first_time_only():
    calls = []
    results = [once(("a", 1), lambda: calls.append(1) or [1, 2]) for _ in range(2)]

    assert results[0] is results[1]
    assert calls == [1]


def test_each_key_has_its_own_result():
    assert [once(("b", n), lambda n=n: n * 10) for n in (1, 2)] == [10, 20]


def test_what_one_process_computes_another_adopts(monkeypatch):
    handed_over = []
    with sharing(handed_over.append):
        once(("c", 1), lambda: {"sum": 3})
    monkeypatch.setattr(shared, "_results", {})
    adopt(handed_over[0])

    assert once(("c", 1), lambda: 1 / 0) == {"sum": 3}


def test_what_cannot_be_sent_is_still_computed():
    handed_over = []
    with sharing(handed_over.append):
        assert once(("d", 1), lambda: lambda: 7)() == 7
    assert handed_over == []


def test_it_is_a_public_name():
    assert evalkit.once is once
