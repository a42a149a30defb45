"""How Sphinx builds these pages: `lingyun docs`."""

import sys
from pathlib import Path

from sphinx.util import inspect

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # drawing.py; models and rtl of this tree

project = "Lingyun"
html_title = "Lingyun"
html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["pages.css"]
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "drawing",
]

myst_heading_anchors = 3

# Docstrings tell shapes and units; signatures have the types.
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Fields", "params_style"), ("Members", "params_style")]


def skip_field(app, what, name, member, skip, options):
    """Fields of a named tuple are told by its docstring; leave out what Python says of them."""
    return skip or str(getattr(member, "__doc__", "")).startswith("Alias for field number")


def own_signature(app, what, name, component, options, signature, returns):
    """Amaranth's components are made by a metaclass; what they take says their ``__init__``."""
    if "src_loc_at" in (signature or ""):
        own = inspect.signature(component.__init__, bound_method=True)
        return inspect.stringify_signature(own, unqualified_typehints=True), returns
    return None


def setup(app):
    """For Sphinx."""
    app.connect("autodoc-skip-member", skip_field)
    app.connect("autodoc-process-signature", own_signature)
