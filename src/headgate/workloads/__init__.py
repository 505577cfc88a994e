"""The decisions of kube-controller-manager as pure functions: (objects, now) -> effects.

The ReplicaSets of a Deployment are decided in `deployments`, the pods of a ReplicaSet in `replicasets`, the
EndpointSlices of a Service in `endpoints`. Each `decide` takes one object and the objects of its namespace, and returns
a `Decision`: what to write, and when to decide again if nothing changes. The same objects give the same effects, and
once these are in the API, no further ones.

Deleting what a deleted object owned is the API's task (garbage collection).
"""
