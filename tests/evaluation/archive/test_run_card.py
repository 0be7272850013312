"""The card of a run: processes that start together agree on one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from dentasam.errors import OutputError
from dentasam.evaluation.archive.run_card import CARD, RunCard, check_free


@pytest.mark.parametrize("links", [True, False])
def test_of_two_cards_that_come_together_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        # Without links the later of two may win; what counts is that equal ones do not disturb each other.
        monkeypatch.setattr("os.link", lambda *paths: (_ for _ in ()).throw(PermissionError(1, "no links")))
    cards = [RunCard({"format": "coco"}), RunCard({"format": "png" if links else "coco"})]
    for number in range(20):
        together = Barrier(4)

        def claimed(card: RunCard, out: Path = tmp_path / str(number), together: Barrier = together) -> bool:
            together.wait(timeout=30)
            try:
                card.claim(out, resume=True)
            except OutputError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            first, second, third, fourth = pool.map(claimed, cards * 2)
        assert (first, second) == (third, fourth)
        assert first != second or not links
        assert [entry.name for entry in (tmp_path / str(number)).iterdir()] == [CARD]


def test_drafts_of_other_processes_are_nothing_in_use(tmp_path: Path) -> None:
    (tmp_path / f".{CARD}.1.part").touch()
    check_free(tmp_path, resume=False)
    RunCard({}).claim(tmp_path, resume=False)


def test_a_damaged_card(tmp_path: Path) -> None:
    (tmp_path / CARD).write_text("{")
    with pytest.raises(OutputError, match="is not a run of charts; choose another --out"):
        RunCard({}).claim(tmp_path, resume=True)
