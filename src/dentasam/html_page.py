"""HTML pages that reports fill in: single files without scripts, in one style.

The frame of all pages is `templates/page.html.j2` of this package; each room keeps its own pages in its `templates/`.
"""

from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dentasam.visible_text import visible


def render(package: str, template: str, **values: Any) -> str:
    """Fill in a page of a package's templates/. Every value is escaped, except Markup, which only figures are.

    Characters of names that nobody sees, such as direction marks, are shown as `\\uXXXX`.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("dentasam")]),
        autoescape=True,  # jinja's selection by file suffix does not know .j2
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
