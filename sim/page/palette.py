"""Colours and marks of all charts, apart for all kinds of colour vision.

**Source**: Okabe and Ito, "Color universal design", 2008, without its yellow, which white swallows;
matrices in one hue, so that more is darker in print too (ColorBrewer, Blues).
"""

__all__ = ["GREY", "GRID", "INK", "LINES", "MARKS", "MATRIX"]

INK, GREY, GRID = "#222222", "#777777", "#e4e4e4"
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444")
MARKS = {  # as plotly calls them: as matplotlib does
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "triangle-down": "v",
    "cross": "P",
}
MATRIX = ("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b")
