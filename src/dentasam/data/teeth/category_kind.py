"""Which categories are parts: a click on a filling should give the filling, and not the tooth around it."""

import re

# A category with one of these words lies in or on a tooth. All others are wholes: teeth, implants, jaws.
PART_WORDS = frozenset(
    {"restoration", "filling", "crown", "inlay", "onlay", "veneer", "bridge", "pontic", "post", "canal"}
    | {"endodontic", "pulp"}
    | {"caries", "cavity", "decay", "lesion", "periapical", "calculus", "cyst", "abscess", "granuloma"}
)


def is_part(category: str) -> bool:
    """Whether a category names a part of a tooth or a lesion at it, such as `root filling` or `Deep Caries`."""
    words = re.findall("[a-z]+", category.lower())
    return any(word in PART_WORDS or word.removesuffix("s") in PART_WORDS for word in words)
