"""A kubelet's part, played by processes: pods of any Kubernetes API run as programs of this machine."""
