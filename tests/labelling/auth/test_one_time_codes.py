from dentasam.labelling.auth.one_time_codes import OneTimeCodes, Taken


def test_a_code_opens_once() -> None:
    codes = OneTimeCodes()
    code, other = codes.new(), codes.new()
    assert code != other
    assert codes.take(code) is Taken.valid
    assert codes.take(code) is Taken.used
    assert codes.take("guessed") is Taken.unknown
    assert codes.take(other) is Taken.valid


def test_a_code_opens_soon_or_never() -> None:
    now = 0.0
    codes = OneTimeCodes(60, lambda: now)
    code, late = codes.new(), codes.new()
    now = 60.0
    assert codes.take(code) is Taken.valid
    now = 60.5
    assert codes.take(late) is Taken.unknown


def test_codes_that_are_over_are_forgotten() -> None:
    now = 0.0
    codes = OneTimeCodes(60, lambda: now)
    for _ in range(100):
        used, _ = codes.new(), codes.new()
        assert codes.take(used) is Taken.valid
        now += 30.0
        assert codes.take(used) is Taken.used
    assert len(codes._until) + len(codes._used) <= 8


def test_a_code_is_for_its_holder_alone() -> None:
    codes = OneTimeCodes()
    code = codes.new("page.anna")
    for other in ("page.ben", "", "page.anna ", "\udc80"):
        assert codes.take(code, other) is Taken.unknown
    assert codes.take(code, "page.anna") is Taken.valid
    assert codes.take(code, "page.anna") is Taken.used
    assert codes.take(codes.new(), "page.anna") is Taken.unknown
    assert "page.anna" not in str(vars(codes))
