"""site — the pages, and the log's public face. A door: it shows what rooms answer and holds no rule of its own.

Nouns: page, asset (a static file under its digest), language, error page.
Every sentence stands in both languages side by side, in `{% say "中文" "English" %}` or in a `Text`; none of them is
looked up elsewhere, so none can be missing. No page holds a style or a script of its own: one style sheet, strict CSP.
May import: of every room its actions, queries, types and api.
"""
