import pytest

from dentasam.labelling.log.store import Store
from dentasam.labelling.wire.fields import MAX_COMMENT_LENGTH


def test_comments_are_kept_in_order(store: Store) -> None:
    a, b = (case.id for case in store.cases())
    first = store.add_comment(a, "ann", " The apex of 36? <b>\0 ")
    second = store.add_comment(a, "bob", "Yes.")
    assert first.text == "The apex of 36? <b>"
    assert store.comments(a) == [first, second]
    assert store.comments(b) == []
    assert [case.comments for case in store.cases()] == [2, 0]
    for wrong in ("", " \n", "x" * (MAX_COMMENT_LENGTH + 1)):
        with pytest.raises(ValueError, match="a comment has"):
            store.add_comment(a, "ann", wrong)
