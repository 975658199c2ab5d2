"""Small helpers for figures: percentiles and bars."""


def percentile(sorted_values, share):
    """The value below or at which `share` of all lie (nearest rank, never interpolated down)."""
    if not sorted_values:
        return None
    rank = max(0, min(len(sorted_values) - 1, int(-(-share * len(sorted_values) // 1)) - 1))
    return sorted_values[rank]


def summary(values, scale=1.0):
    """p50, p99, p999 and max of `values` times `scale`, rounded to a tenth."""
    ordered = sorted(values)
    shares = {"p50": 0.50, "p99": 0.99, "p999": 0.999}
    out = {name: percentile(ordered, share) for name, share in shares.items()}
    out["max"] = ordered[-1] if ordered else None
    return {name: None if value is None else round(value * scale, 1) for name, value in out.items()}


def bar(name, value, limit):
    """At most `limit`; a figure that is not there is not met."""
    return {"name": name, "value": value, "limit": limit,
            "ok": value is not None and value <= limit}
