"""The categories of a COCO file."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from dentasam.data.coco.problem import Problem, Report
from dentasam.data.coco.values import half_letter_in, name_text
from dentasam.data.record import Category
from dentasam.documents.values import whole


def read_categories(items: list[Any], used: Collection[int | None], report: Report) -> list[Category]:
    """The categories; `used` are the ids that annotations name.

    Roboflow writes a root category, which no annotation has and which may have the name of its only child: of two
    categories with one name, the one that is not used is passed over.
    """
    given: list[Category] = []
    for position, item in enumerate(items):
        id, name = (whole(item.get("id")), name_text(item.get("name"))) if isinstance(item, dict) else (None, None)
        if id is None or name is None:
            what = f"categories[{position}] has no whole-number id or no name"
            report(Problem(None, None, what, "give it both"))
            continue
        group = item.get("supercategory")
        group = group if isinstance(group, str) else ""
        wrong = half_letter_in(f"the name of category {id}", [name, group])
        if wrong is not None:
            report(Problem(None, None, *wrong))
            continue
        given.append(Category(id, name, group))
    roots = _roots(given, used)
    found: list[Category] = []
    ids: set[int] = set()
    names: set[str] = set()
    for category in given:
        if category in roots:
            continue
        if category.id in ids or category.name in names:
            what = f"category {category.id} '{category.name}' is there twice"
            report(Problem(None, None, what, "give every category its own id and name"))
            continue
        found.append(category)
        ids.add(category.id)
        names.add(category.name)
    return found


def _roots(categories: list[Category], used: Collection[int | None]) -> set[Category]:
    by_name: defaultdict[str, list[Category]] = defaultdict(list)
    for category in categories:
        by_name[category.name].append(category)
    roots: set[Category] = set()
    for same in by_name.values():
        if len({category.id for category in same}) < 2:
            continue
        idle = [category for category in same if category.id not in used]
        # Where neither has an annotation, the root is the supercategory of the other.
        if len(idle) == len(same):
            idle = [category for category in same if category.supercategory != category.name]
        if len(idle) < len(same):
            roots.update(idle)
    return roots
