"""A table whose every text tries to break out of the page or the terminal."""

import polars as pl

SCRIPT = "</script><script>alert(1)</script>"
HANDLER = "\"><img src=x onerror=alert(1)>' onmouseover='alert(2)"
COMMENT = "<!--<script>"
ANSI = "\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b31m"
MARKUP = "[red]x[/red] [link=https://evil.example]y[/link]"
CONTROL = "a\x00b\x08c\x7f\u202e\u2028d\r\nnext\rlast"
PSEUDO = '<a href="https://evil.example">z</a><br>&amp;lt;'

TEXTS = (SCRIPT, HANDLER, COMMENT, ANSI, MARKUP, CONTROL, PSEUDO)
COLUMNS = {
    "first": f"pass {SCRIPT}",
    "second": f"style {HANDLER}{ANSI}",
    "truth": f"truth {MARKUP}{PSEUDO}{COMMENT}",
    "source": f"model {SCRIPT}",
}


def hostile_table(prompts: int = 12, samples: int = 6) -> pl.DataFrame:
    """Rollouts with ties, spread and a truth, hostile in column names, ids, prompts, completions and sources."""
    rows = [
        {
            "prompt_id": f"{prompt} {TEXTS[prompt % len(TEXTS)]}",
            "prompt": f"{TEXTS[(prompt + 1) % len(TEXTS)]} {prompt}",
            "completion": f"{TEXTS[(prompt + draw) % len(TEXTS)]} {draw}",
            COLUMNS["source"]: f"m{draw % 2} {TEXTS[draw % len(TEXTS)]}",
            COLUMNS["first"]: float((prompt + draw) % 2),
            COLUMNS["second"]: float((prompt * draw) % 3),
            COLUMNS["truth"]: float(draw % 3 == 0),
        }
        for prompt in range(prompts)
        for draw in range(samples)
    ]
    return pl.DataFrame(rows)
