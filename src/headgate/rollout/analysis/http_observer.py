"""Flagger's queries for the built-in metrics when a metrics server is set: metrics of the application itself."""

_PODS = 'kubernetes_namespace="{{ namespace }}", kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"'
_TOTAL = f"sum(rate(http_request_duration_seconds_count{{{_PODS}}}[{{{{ interval }}}}]))"
_BUCKETS = f"sum(rate(http_request_duration_seconds_bucket{{{_PODS}}}[{{{{ interval }}}}])) by (le)"
_GOOD = f'sum(rate(http_request_duration_seconds_count{{{_PODS}, status!~"5.*"}}[{{{{ interval }}}}]))'

#: metric -> query; the success rate in percent, the duration in seconds.
QUERIES = {
    "request-success-rate": f"{_GOOD} / {_TOTAL} * 100",
    "request-duration": f"histogram_quantile(0.99, {_BUCKETS})",
}
