"""Names of teeth: numbering systems, SNOMED CT codes, the order along an arch, and which names are parts."""
