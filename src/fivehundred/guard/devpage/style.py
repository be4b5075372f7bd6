"""The looks of the development page, and its few lines of script (copying). Both go into the page by their hash."""

from __future__ import annotations

import base64
import functools
import hashlib
from typing import Final

css: Final = """\
:root{color-scheme:light;--bg:#f7f7f5;--panel:#fff;--sunk:#f1f1ee;--line:#e4e3de;--text:#1d1c1a;--soft:#4b4944;
--mute:#67645d;--accent:#3f4bd1;--red:#b42318;--fail:#fff1ee;
--mono:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{color-scheme:dark;--bg:#121214;--panel:#19191c;--sunk:#222226;--line:#2b2b30;
--text:#ececef;--soft:#c6c6cd;--mute:#a0a0aa;--accent:#98a3ff;--red:#ff8a7d;--fail:#351d1b}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:14px/1.5 system-ui,sans-serif;
overflow-wrap:anywhere}main{max-width:1320px;margin:0 auto;padding:14px 20px 40px}h1{font-size:20px;line-height:1.3;
margin:2px 0 0;font-weight:650}h2{font-size:13.5px;margin:0;padding:9px 14px;border-bottom:1px solid var(--line)}
p{margin:0}.asked{color:var(--mute);margin-bottom:10px}.asked b{color:var(--red);font-weight:650}
code,pre,textarea,.vals,.code{font:12.5px/1.55 var(--mono)}.panel{background:var(--panel);border:1px solid var(--line);
border-radius:9px;margin-bottom:10px;min-width:0}.top{display:grid;grid-template-columns:minmax(0,1.7fr) minmax(0,1fr);
gap:10px;align-items:start}.code{margin:0;padding:6px 0;list-style:none;overflow-x:auto}.code li{display:flex;
white-space:pre}.code span{flex:none;width:56px;text-align:right;padding-right:14px;color:var(--mute)}
.code .fails{background:var(--fail);box-shadow:inset 3px 0 0 var(--red)}
.code .fails span{color:var(--red);font-weight:700}
.why{padding:12px 14px}.why b{text-transform:capitalize}.why p+p{margin-top:6px}.why .do{font-weight:600}
.why ul{margin:8px 0 0;padding-left:18px;color:var(--soft)}.mute{color:var(--mute)}a{color:var(--accent)}
summary{cursor:pointer;padding:6px 14px;color:var(--mute)}summary b{color:var(--text);font-weight:600}
details+details,details.frame{border-top:1px solid var(--line)}.vals{margin:0;border-top:1px solid var(--line)}
.vals div{display:grid;grid-template-columns:minmax(80px,180px) minmax(0,1fr);gap:12px;padding:2px 14px}
.vals dt{color:var(--mute)}.vals dd{margin:0;white-space:pre-wrap}.masked:not(:has(:checked)) dd{filter:blur(5px)}
.masked label{display:block;padding:5px 14px;border-top:1px solid var(--line);color:var(--mute);font-size:12.5px}
.exc{padding:8px 14px;background:var(--sunk);border-top:1px solid var(--line)}.exc:first-child{border-top:0}
.tree{margin:0;padding:8px 14px 8px 30px}.log li{display:grid;grid-template-columns:70px 160px minmax(0,1fr);gap:10px}
.rows{margin:0;padding:6px 14px;list-style:none;font:12.5px/1.6 var(--mono)}.copy{padding:8px 14px}
textarea{width:100%;height:190px;border:1px solid var(--line);border-radius:6px;background:var(--sunk);
color:var(--text);padding:8px}
button{font:inherit;font-size:12.5px;border:1px solid var(--line);border-radius:6px;background:var(--panel);
color:var(--text);padding:2px 10px;cursor:pointer;margin-bottom:6px}.foot{color:var(--mute);font-size:12.5px}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
@media (max-width:760px){main{padding:10px 10px 30px}.top{grid-template-columns:minmax(0,1fr)}
.log li{grid-template-columns:1fr}.code span{width:44px}}
"""

script: Final = """\
document.addEventListener("click",function(e){var b=e.target.closest("[data-copy]");if(b)navigator.clipboard.writeText(
document.getElementById(b.dataset.copy).value).then(function(){b.textContent="Copied"})})
"""


@functools.cache
def policy() -> str:
    """The Content-Security-Policy: this style, this script, nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(css)}'; script-src '{_hash(script)}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    )


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
