"""Settings of the documentation site. ``make docs`` builds it; every warning is an error."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import cls_kd  # noqa: E402

project = "cls_kd"
author = "The cls_kd authors"
copyright = author
version = release = cls_kd.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "generated",
    "mathml",
    "references",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True

# Markdown: formulas between dollars, and links to headings as on GitHub.
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4

# Docstrings: Google's sections. Text in single backticks is code.
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Shapes", "params_style")]
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 88
add_module_names = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"cls_kd {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_last_updated_fmt = None

copybutton_exclude = ".linenos, .gp, .go"
