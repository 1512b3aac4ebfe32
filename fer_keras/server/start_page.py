"""The page that the server shows at /docs: every address and what it does. It loads nothing from other servers.

FastAPI's own pages load scripts from a content delivery network: a browser would tell that network of every visit, and its
scripts could read the photos that are tried out on the page.
"""

from html import escape

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>fer_keras</title>
<meta name="viewport" content="width=device-width">
<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.3em 1em .3em 0;border-bottom:1px solid #ccc}
code{white-space:nowrap}</style></head><body>
"""
_FORM = """<h2>Try it</h2>
<form action="faces" method="post" enctype="multipart/form-data">
<label>A JPEG, PNG or WebP: <input type="file" name="image" accept="image/jpeg,image/png,image/webp" required></label>
<button>Read its faces</button></form>
"""
_TOKEN = "<p>Requests need the header <code>Authorization: Bearer</code> with the server's token.</p>\n"
#: For the browser: nothing from elsewhere, no script, no frame around the page.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def start_page(schema: dict, closed: bool) -> str:
    """Return the page as HTML.

    Args:
        schema: of OpenAPI.
        closed: whether requests need a token; a form of HTML cannot send one.
    """
    rows = [
        f"<tr><td><code>{method.upper()} {escape(path)}</code></td><td>{escape(route.get('summary', ''))}</td></tr>"
        for path, routes in schema["paths"].items()
        for method, route in routes.items()
    ]
    about = f"<h1>fer_keras {escape(schema['info']['version'])}</h1>\n<p>{escape(schema['info']['description'])}</p>\n"
    table = "<table>\n<tr><th>Address</th><th>What it does</th></tr>\n" + "\n".join(rows) + "\n</table>\n"
    more = '<p>The same for programs, with every field: <a href="openapi.json">openapi.json</a>.</p>\n'
    return _HEAD + about + (_TOKEN if closed else _FORM) + "<h2>Addresses</h2>\n" + table + more + "</body></html>\n"
