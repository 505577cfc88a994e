"""What kube-controller-manager decides, as pure functions: (objects seen, now) -> effects.

A Deployment becomes ReplicaSets (`deployments`), a ReplicaSet becomes Pods (`replicasets`), a Service becomes
EndpointSlices (`endpoints`). Each `decide` looks at one object and everything that belongs to it, and returns a
`Decision`: what to write, and when to look again though nothing happened. Deciding twice on the same objects gives the
same effects; once the effects are in the API, deciding again gives none.

Who owns what is deleted with it is the API's part (garbage collection), not decided here.
"""
