"""New projects from templates: what `strategy-new` does.

The templates lie in the top-level folder `templates` of the repository, and in the package where it
was installed from a wheel. The folder is a source for copier too, whose syntax the templates keep
to; of it the renderer here knows what they use.
"""
