"""The report as one self-contained HTML page.

The page needs the packages of the extra ``report``; nothing else of the package imports them.
"""
