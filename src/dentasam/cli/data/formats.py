"""`dentasam data formats`: what can be imported and exported."""

from dentasam.cli.console import say


def formats() -> None:
    """List the formats that `import` reads and `export` writes, and what each keeps and loses."""
    from dentasam.data.formats.catalogue import FORMATS

    for name, info in FORMATS.items():
        directions = " and ".join(word for word, there in (("in", info.reads), ("out", info.writes)) if there)
        say(f"{name.value:<13} {directions:<10} {info.summary}")
        for what, text in (
            ("keeps", info.keeps),
            ("loses", info.loses),
            ("polygons", info.polygons),
            ("needs", f"pip install 'dentasam[{info.extra}]'" if info.extra else ""),
        ):
            if text:
                say(f"{'':<24} {what}: {text}")
