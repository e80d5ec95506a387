"""New projects from templates, for `strategy-new`.

The templates are in the folder `templates` of the repository, or in the package if it was installed
from a wheel. copier can use that folder, too: the templates keep to its syntax, and the renderer
here supports the part of it that they use.
"""
