"""The odontogram and the object list: classes, parents, locks, and a number used twice."""

from playwright.sync_api import expect

from .desk import Desk


def three(desk: Desk) -> list[str]:
    """Three objects, the last one active."""
    desk.tool("b", size=20)
    made = []
    for row in (150.0, 250.0, 350.0):
        desk.press("Shift+N")
        desk.stroke([(300.0, row), (420.0, row)])
        made.append(desk.active or "")
    return made


def test_odontogram_assigns_and_warns_of_a_number_used_twice(desk: Desk) -> None:
    first, second, third = three(desk)
    desk.choose("tooth-21")
    assert desk.objects()[third]["category"] == "21"
    tooth = desk.page.get_by_test_id("tooth-21")
    expect(tooth).to_have_attribute("data-use", "assigned")
    desk.press("Enter")
    expect(tooth).to_have_attribute("data-use", "accepted")

    desk.page.locator(f'[data-object="{second}"]').get_by_role("button").first.click()
    desk.press("2", "1")
    desk.toast("21 is now used twice")
    expect(tooth).to_have_attribute("data-use", "twice")
    expect(desk.page.get_by_text("×2")).to_have_count(2)
    desk.press("2", "9")
    desk.toast("There is no tooth 29")
    desk.press("2", "2")
    expect(tooth).to_have_attribute("data-use", "accepted")
    # The list and the keys follow the chart; what has no number comes last.
    rows = desk.page.get_by_test_id("object")
    assert rows.evaluate_all("(rows) => rows.map((row) => row.dataset.object)") == [third, second, first]
    desk.press("Tab", "Tab")
    desk.until(f"dentasam.editor.activeId === '{third}'")

    # Without an active object a tooth leads to the object that has its number.
    desk.press("Escape")
    assert desk.active is None
    desk.choose("tooth-22")
    assert desk.active == second

    desk.page.locator(f'[data-object="{first}"]').get_by_role("button").first.click()
    desk.page.get_by_test_id("deciduous").check()
    desk.choose("tooth-65")
    assert desk.objects()[first]["category"] == "65"
    desk.agrees()
    desk.press("Control+z")
    assert desk.objects()[first]["category"] is None
    desk.agrees()


def test_restoration_belongs_to_its_tooth(desk: Desk) -> None:
    tooth, filling, _ = three(desk)
    desk.page.locator(f'[data-object="{tooth}"]').get_by_role("button").first.click()
    desk.press("4", "5")
    desk.page.locator(f'[data-object="{filling}"]').get_by_role("button").first.click()
    desk.choose("label-restoration")
    desk.page.get_by_test_id("parent").select_option(label="45")
    assert desk.objects()[filling]["parent"] == tooth
    assert desk.objects()[filling]["category"] == "restoration"
    expect(desk.page.locator(f'[data-object="{filling}"]')).to_contain_text("in 45")
    desk.agrees()


def test_object_list_hides_locks_accepts_and_deletes(desk: Desk) -> None:
    first, second, third = three(desk)
    row = desk.page.locator(f'[data-object="{first}"]')
    row.get_by_test_id("object-hide").click()
    row.get_by_test_id("object-lock").click()
    row.get_by_test_id("object-accept").click()
    found = desk.objects()[first]
    assert (found["hidden"], found["locked"], found["accepted"]) == (True, True, True)
    expect(row).to_contain_text(f"{found['area']:,} px")
    desk.page.locator(f'[data-object="{second}"]').get_by_role("button").first.click()
    desk.page.locator(f'[data-object="{second}"]').get_by_test_id("object-delete").click()
    assert desk.objects().keys() == {first, third}
    desk.agrees()
    # What is hidden is a matter of this page alone.
    desk.page.reload(wait_until="commit")
    desk.shown()
    assert desk.objects()[first]["hidden"] is False
    assert desk.objects()[first]["locked"] is True
    assert desk.objects().keys() == {first, third}
