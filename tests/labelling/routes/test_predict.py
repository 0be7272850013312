"""What the model is asked over HTTP, and what is refused."""

from typing import Any

import pytest

from dentasam.labelling.workspace.tidy_sizes import DEFAULT_HOLES

from ..running import HEIGHT, Running, opened, square


def test_predict(server: Running) -> None:
    previous = square(1, 1, 4)
    wanted = [
        {"id": "one", "clicks": [[10.5, 20, 1], [30, 20.25, 0]], "box": None, "previous": previous},
        {"id": "two", "clicks": [], "box": [5, 6, 15, 16], "painted": square(0, 0, 2), "erased": None},
    ]
    document = opened(server.post("/api/cases/1/predict", {"objects": wanted}))
    assert [found["id"] for found in document["objects"]] == ["one", "two"]
    assert document["objects"][1]["mask"] == square(5, 6, 10)
    assert document["objects"][0]["score"] == 0.75
    assert [found["answered_by"] for found in document["objects"]] == ["window", "window"]
    assert [found["choices"] for found in document["objects"]] == [[], []]
    assert document["model"]["name"] == "small"
    assert document["seconds"] == {"encode": 0.25, "decode": 0.5}
    ((case, (one, two)),) = server.model.asked
    assert case == 1
    assert [tuple(click) for click in one.clicks] == [(10.5, 20, 1), (30, 20.25, 0)]
    assert one.previous == previous
    assert (two.box, two.painted, two.erased) == ((5, 6, 15, 16), square(0, 0, 2), None)


def test_the_choices_travel_as_masks_with_their_scores(server: Running) -> None:
    wanted = [{"id": "one", "clicks": [[10, 20, 1]], "choices": True}, {"id": "two", "clicks": [[10, 20, 1]]}]
    one, two = opened(server.post("/api/cases/1/predict", {"objects": wanted}))["objects"]
    assert [(each["mask"], each["score"], each["answered_by"]) for each in one["choices"]] == [
        (square(8, 18, 5), 0.75, "window"),
        (square(8, 18, 1), 0.5, "whole"),
    ]
    assert two["choices"] == []


def test_refine(server: Running) -> None:
    after = square(2, 2, 6)
    wanted = [{"id": "one", "before": square(2, 2, 4), "after": after, "painted": after, "clicks": [[3, 3, 1]]}]
    document = opened(server.post("/api/cases/2/refine", {"objects": wanted}))
    (found,) = document["objects"]
    assert found["mask"] == after
    assert found["clicks"] == [[3, 3, 1], [3, 4, 1]]
    ((case, (asked,)),) = server.model.asked
    assert (case, asked.before, asked.after, asked.erased) == (2, square(2, 2, 4), after, None)


@pytest.mark.parametrize(
    ("route", "document"),
    [
        ("predict", {"objects": []}),
        ("predict", {"objects": [{"id": "one"}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1, 2, 3]]}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1, 2]]}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1e300, 2, 1]]}]}),
        ("predict", {"objects": [{"id": "../one", "clicks": [[1, 2, 1]]}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1, 2, 1]], "url": "http://evil.example"}]}),
        ("predict", {"objects": [{"id": "one", "clicks": [[1, 2, 1]], "previous": square(0, HEIGHT - 1, 2)}]}),
        ("predict", {"objects": [{"id": str(n), "clicks": [[1, 2, 1]]} for n in range(257)]}),
        ("refine", {"objects": [{"id": "one", "before": None, "after": None}]}),
        ("refine", {"objects": [{"id": "one", "before": square(0, 0, 1)}]}),
        ("refine", 7),
    ],
)
def test_questions_to_the_model_that_are_refused(server: Running, route: str, document: Any) -> None:
    answer = server.post(f"/api/cases/1/{route}", document)
    assert answer.status_code == 422, answer.text
    assert "evil" not in answer.text


def test_the_label_of_an_object_says_what_is_tidied_in_its_mask(server: Running) -> None:
    schema = server.client.get("/api/session").json()["schema"]
    schema["tidy"] = {"islands": 30}
    schema["labels"][0]["tidy"] = {"holes": 0}
    assert server.client.put("/api/schema", json=schema).status_code == 200
    name = schema["labels"][0]["name"]
    asked = [{"id": "a", "clicks": [[3, 4, 1]], "category": name}, {"id": "b", "clicks": [[3, 4, 1]]}]
    assert server.post("/api/cases/1/predict", {"objects": asked}).status_code == 200
    first, second = server.model.tidied[-1]
    assert (first.islands, first.holes) == (30, 0)
    assert (second.islands, second.holes) == (30, DEFAULT_HOLES)


def test_the_label_of_an_object_says_whether_its_first_click_means_a_part(server: Running) -> None:
    schema = server.client.get("/api/session").json()["schema"]
    by_name = {label["name"]: label for label in schema["labels"]}
    by_name["restoration"]["prefers"], by_name["36"]["prefers"] = "whole", "part"
    assert server.client.put("/api/schema", json=schema).status_code == 200
    names = ["36", "37", "restoration", "caries", None, "unknown"]
    asked = [{"id": str(i), "clicks": [[3, 4, 1]], "category": name} for i, name in enumerate(names)]
    assert server.post("/api/cases/1/predict", {"objects": asked}).status_code == 200
    assert server.model.parts == [[True, False, False, True, False, False]]
