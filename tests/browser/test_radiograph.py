"""A DICOM file of 16 bits: all of them arrive, the window chooses what shows, and the patient's name goes nowhere."""

import hashlib
from pathlib import Path

import numpy as np
from playwright.sync_api import Request, expect

from .desk import Desk, Open
from .serving import Server
from .worklist import PATIENT, PATIENT_ID, RADIOGRAPH, WorkList

DIGEST = """async () => {
    const digest = await crypto.subtle.digest("SHA-256", dentasam.stage.image.pixels);
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}"""

EXPORTS = ("coco", "png", "log", "timing")


def grey(desk: Desk) -> np.ndarray:
    desk.page.mouse.move(5, 5)
    return desk.picture().astype(int).mean(axis=2)


def test_sixteen_bits_arrive_and_the_window_shows_them(open_desk: Open, server: Server, worklist: WorkList) -> None:
    desk = open_desk(case=server.case(RADIOGRAPH))
    pixels = worklist.radiograph
    bits, kind = desk.page.evaluate("() => [dentasam.stage.image.bits, dentasam.stage.image.pixels.constructor.name]")
    assert (bits, kind) == (16, "Uint16Array")
    assert desk.page.evaluate(DIGEST) == hashlib.sha256(pixels.astype("<u2").tobytes()).hexdigest()
    expect(desk.page.get_by_test_id("display")).to_be_visible()

    image = desk.seen(np.ones(desk.shape, bool))
    usual = grey(desk)
    # A window of 256 values within one step of eight bits shows what eight bits would not hold.
    value = int(np.median(pixels)) & 0xFF00
    desk.page.get_by_test_id("window").fill("256")
    desk.page.get_by_test_id("level").fill(str(value + 128))
    narrow = grey(desk)
    assert narrow[image].std() > usual[image].std()
    low, high = desk.page.evaluate("() => [dentasam.stage.levels.low, dentasam.stage.levels.high]")
    assert high - low == 256
    desk.press("Shift+F")
    view = desk.view()
    within = (pixels >= low) & (pixels < high)
    row, column = np.argwhere(within[200:300, 400:600])[0] + (200, 400)
    shown = grey(desk)[round(view["y"]) + row, round(view["x"]) + column]
    assert abs(shown - (pixels[row, column] - low) / 256 * 255) <= 2

    desk.choose("display-reset")
    desk.press("f")
    assert np.abs(grey(desk) - usual).max() <= 1
    desk.press("i")
    assert np.corrcoef(grey(desk)[image], usual[image])[0, 1] < -0.9
    desk.press("i")
    desk.choose("clahe")
    desk.until("dentasam.stage.renderer !== null")
    expect(desk.page.get_by_test_id("clahe")).to_be_checked()
    # Nothing of it is work.
    assert desk.objects() == {}
    assert server.document(desk.case)["case"]["revision"] == 0


def test_the_patient_stays_out_of_everything(open_desk: Open, server: Server, worklist: WorkList) -> None:
    bodies: list[bytes] = []

    def keep(request: Request) -> None:
        answer = request.response()
        if answer is not None and answer.ok and answer.request.resource_type != "document":
            bodies.append(answer.body() + repr(answer.headers).encode())

    desk = open_desk(case=server.case(RADIOGRAPH))
    desk.page.on("requestfinished", keep)
    desk.page.reload(wait_until="networkidle")
    desk.shown()
    desk.tool("b", size=30)
    desk.stroke([(300.0, 200.0), (420.0, 200.0)])
    desk.saved()
    assert len(bodies) > 5
    asked = ["cases", f"cases/{desk.case}", "session", "progress", *(f"export/{kind}" for kind in EXPORTS)]
    bodies += [server.get(f"/api/{path}").content for path in asked]
    bodies.append(desk.page.content().encode())
    stored = [file.read_bytes() for file in workspace_files(worklist.folder)]
    assert len(stored) > 3
    for secret in (*PATIENT.split("^"), PATIENT_ID, "19630412"):
        for text in (secret, secret.lower()):
            assert not any(text.encode() in body for body in bodies + stored), secret


def workspace_files(folder: Path) -> list[Path]:
    return [path for path in (folder / ".dentasam").rglob("*") if path.is_file()]
