"""A Kubernetes API on a laptop: enough of it for kubectl, Helm and any ordinary client.

It is an API server and the two loops that every cluster needs before anything else works (garbage collection and the
end of a namespace), nothing more: no controllers of workloads, no webhooks, no authorization. Whoever has the token may
do everything; the port is bound on loopback only.

Inside out:

* `kinds/`, `protobuf` – what the built-in kinds look like, as data;
* `resources` – what is served and how it behaves; `tables` – what `kubectl get` prints;
* `store` – SQLite; `cache` – what is in memory, and who watches it;
* `writes` – what create, update and delete do to an object (pure); `checking` – what does not fit;
* `api` – the same with effects;
* `matching`, `admission` – ValidatingAdmissionPolicies;
* `definitions`, `custom`, `bundled` – CustomResourceDefinitions, what they make, and which the API begins with;
* `garbage` – owners and namespaces;
* `http`, `app`, `reading`, `writing`, `discovery`, `openapi` – HTTP;
* `server` – TLS, token, kubeconfig, start and stop.
"""
