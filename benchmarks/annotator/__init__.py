"""A scripted annotator at the labelling page, whose acts cost what they cost a person: see `label_time.py`."""
