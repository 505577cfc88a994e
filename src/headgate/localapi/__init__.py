"""A Kubernetes API on a laptop: enough of it for kubectl, Helm and any ordinary client.

It is an API server and the two loops that every cluster needs before anything else works (garbage collection and the
end of a namespace), nothing more: no controllers of workloads, no admission plugins, no authorization. Whoever has
the token may do everything; the port is bound on loopback only.

Inside out:

* `kinds/`, `protobuf` – what the built-in kinds look like, as data;
* `resources` – what is served and how it behaves; `columns` – what `kubectl get` prints;
* `store` – SQLite; `cache` – what is in memory, and who watches it;
* `writes` – what create, update and delete do to an object (pure); `api` – the same with effects;
* `garbage` – owners and namespaces;
* `wire`, `app`, `reading`, `writing`, `discovery`, `openapi` – HTTP;
* `server` – TLS, token, kubeconfig, start and stop.
"""
