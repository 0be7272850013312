"""Which cases are encoded first, and how far the encoding is."""

from ..running import Running


def test_opening_a_case_names_the_next_ones(server: Running) -> None:
    assert server.client.post("/api/cases/1/open").status_code == 204
    assert server.client.post("/api/cases/2/open").status_code == 204
    assert server.model.opened == [(1, [2]), (2, [])]
    assert server.client.post("/api/cases/3/open").status_code == 404


def test_progress(server: Running) -> None:
    server.model.failed = {2: f"{server.workspace.folder / 'b.png'} is damaged\nor truncated"}
    assert server.client.get("/api/progress").json() == {
        "encoded": 1,
        "total": 2,
        "current": "b.png",
        "workspace": server.workspace.id,
        "annotator": "me",
        "worklist": 0,
        "failed": [{"id": 2, "name": "b.png", "message": "b.png is damaged or truncated"}],
        "proposing": [],
    }
