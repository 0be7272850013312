"""Cases that failed once, each by a name that says what it was. They are run in every `make test`.

After a finding: fix it, and add `name: "kind:seed:number"` here, as `python -m tests.fuzz` prints it. A case stays
the same for as long as its kind's example and benders do; what must outlive them is a test of the room it fell in.
"""

KNOWN: dict[str, str] = {
    "prompts with a boolean that is neither true nor false": "prompts:7:1",
    "prompts whose aliases stand for millions of values": "prompts:7:10",
    "boxes with 5,000 numbers in place of one": "boxes:7:14",
    "a setting with a leap second": "set:7:5",
    "a setting that is nested 900 levels deep": "set:7:22",
    "a recipe with a time that is not one": "recipe:7:15",
    "workspace settings with a time that is not one": "workspace:7:15",
    "a checkpoint with a NUL in the name of a parameter": "pth:7:11",
    "a run whose adapter is a number": "run:11:14",
    "a database with text that is not JSON in a case": "database:7:4",
    "a database without its table of cases": "database:7:11",
    "a workspace whose database is gone": "database:7:13",
    "a database with bytes doubled": "database:7:16",
    "a training state with other weights": "training-state:7:0",
    "a training state of compressed records": "training-state:11:22",
    "a TIFF file with 128 values for its compression": "tiff:11:14",
    "a database with bytes in place of its version": "database:11:27",
    "a mask of 100 megapixels for a small image": "png-masks:21:48",
    "a database with an empty version": "database:21:30",
    "a cached embedding of another type": "embedding:21:30",
    "a database whose schema holds a control character": "database:11:57",
    "prompts with 300 clicks on one object": "prompts:31:29",
    "a bent image among those that a check lists": "coco:31:33",
    "an operation whose kind is a list of lists": "envelope:1:4",
    "a graph whose input has a name that is not text": "onnx:42:12",
    "a click at a hair's breadth outside its image": "prompts:44:2",
    "a database whose third page is empty": "database:44:1",
}
