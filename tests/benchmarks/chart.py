"""A bar chart in SVG, drawn by hand: one group of bars a city, one bar a rival, its length the captured share."""

from html import escape

COLOURS = ("#0066cc", "#8a8a8a", "#b35900", "#6b3fa0", "#2f7d32")
BAR, LABEL, WIDTH, MARGIN = 16, 190, 420, 10


def draw(bars: list[tuple[str, str, float]]) -> str:
    """The chart of bars `(city, rival, share from 0 to 1)`; those of one city stand together."""
    rivals = list(dict.fromkeys(rival for _, rival, _ in bars))
    y, parts, city = MARGIN, [], ""
    for name, rival, share in bars:
        if name != city:
            city, y = name, y + BAR
            parts.append(f'<text x="{MARGIN}" y="{y + BAR - 4}" font-weight="bold">{escape(name)}</text>')
            y += BAR + 4
        colour, length = COLOURS[rivals.index(rival) % len(COLOURS)], max(0.0, share) * WIDTH
        parts.append(f'<text x="{MARGIN}" y="{y + BAR - 4}">{escape(rival)}</text>')
        parts.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR - 3}" fill="{colour}"/>')
        parts.append(f'<text x="{LABEL + length + 6:.1f}" y="{y + BAR - 4}">{share:.3f}</text>')
        y += BAR
    size = f'width="{LABEL + WIDTH + 60}" height="{y + MARGIN}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" role="img">'
    return "\n".join([head, "<title>Captured value by rival and city</title>", *parts, "</svg>", ""])
