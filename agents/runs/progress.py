"""Counts and times as progress displays show them."""


def count(frames: int) -> str:
    """1234567 as 1.23M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if frames >= size:
            return (
                f"{frames / size:.3g}{letter}"
                if frames < 1000 * size
                else f"{frames / size:,.0f}{letter}"
            )
    return str(frames)


def duration(seconds: float) -> str:
    """3700 seconds as 1 h 01 min."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours / 24:.1f} d"
