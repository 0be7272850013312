"""Cases that failed once, each by a name that says what it was. They are run in every `make test`.

After a finding: fix it, and add `name: "kind:seed:number"` here, as `python -m tests.fuzz` prints it. A case stays
the same for as long as its kind's example and benders do; what must outlive them is a test of the room it fell in.
"""

KNOWN: dict[str, str] = {}
