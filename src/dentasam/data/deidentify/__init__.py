"""De-identifying image files: `run` takes a folder, `delivery` one file, `profile` the elements of a header.

header  → profile (rules) → clean of identifiers → method codes ┐
pixels  → blanked where asked, else as they are                 ├→ draft → last search → output
key     → UIDs, dates, pseudonyms, names (keyed_map)            ┘
"""
