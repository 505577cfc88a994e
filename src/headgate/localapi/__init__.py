"""A Kubernetes API on a laptop, for kubectl, Helm and ordinary clients.

It is an API server with the two loops that every cluster needs: garbage collection and namespace deletion. It has no
workload controllers, no webhooks and no authorization: every valid token may do everything. The server listens on
loopback only.

Inside out:

* `storage` – objects on disk (SQLite) and in memory, with their watchers;
* `resources` – the served resources, built-in and from CustomResourceDefinitions, as data;
* `registry` – create, update, apply and delete without HTTP; validation; field ownership; errors;
* `admission` – ValidatingAdmissionPolicies;
* `http` – ASGI application, handlers, discovery, OpenAPI, tables;
* `garbage_collector` – owner references, namespaces and definitions that are being deleted;
* `maintenance` – default ServiceAccounts and the expiry of events;
* `tokens` – bearer tokens;
* `server` – TLS, data folder, kubeconfig, start and stop.
"""
