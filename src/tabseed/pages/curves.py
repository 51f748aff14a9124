"""Pictures as SVG text, without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT, LEFT, GAP = 640.0, 150.0, 60.0, 34.0
COLOURS = ("#2c6fbb", "#c0504d", "#4f8f3a", "#8064a2", "#d08020", "#3a9a9a", "#777777")


def stopping_picture(curves: Sequence[np.ndarray], best_step: np.ndarray) -> str:
    """Return training loss above, stopping statistic below, by step: a line for each seed.

    ``curves[s]`` is (validations, 3): step, training loss, statistic; ``best_step`` (S,) is the
    step kept, drawn as a dot.
    """
    steps = max((curve[-1, 0] for curve in curves if len(curve)), default=1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 10:.0f} '
        f'{2 * (HEIGHT + GAP):.0f}" font-family="sans-serif" font-size="12">'
    ]
    for panel, name in enumerate(("training loss", "weighted distance of columns")):
        top = GAP * (panel + 0.6) + HEIGHT * panel
        values = np.concatenate([curve[:, 1 + panel] for curve in curves])
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
        span = (high - low) or 1.0
        parts += [
            f'<text x="{LEFT}" y="{top - 5:.1f}">{name} by step</text>',
            f'<rect x="{LEFT}" y="{top:.1f}" width="{WIDTH}" height="{HEIGHT}" fill="none" '
            'stroke="#bbb"/>',
            f'<text x="{LEFT - 4}" y="{top + 10:.1f}" text-anchor="end">{high:.3g}</text>',
            f'<text x="{LEFT - 4}" y="{top + HEIGHT:.1f}" text-anchor="end">{low:.3g}</text>',
        ]
        for seed, curve in enumerate(curves):
            validations = curve[np.isfinite(curve[:, 1 + panel])]
            x = LEFT + WIDTH * validations[:, 0] / (steps or 1.0)
            y = top + HEIGHT * (1 - (validations[:, 1 + panel] - low) / span)
            colour = COLOURS[seed % len(COLOURS)]
            points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
            kept = validations[:, 0] == best_step[seed]
            parts += [
                f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}"/>'
                for a, b in zip(x[kept], y[kept], strict=True)
            ]
    parts.append(f'<text x="{LEFT + WIDTH}" y="{2 * (HEIGHT + GAP) - 4:.0f}" text-anchor="end">')
    parts.append(f"{steps:.0f} steps</text></svg>")
    return "\n".join(parts)
