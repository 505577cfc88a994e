"""The policy mechanism (GEP-713): the same for every kind of `headgate.policies.KINDS`.

* `attachment` – reads the policies of a kind and finds their targets, by `targetRefs` and `targetSelectors`;
* `references`, `resolvers` – follow the references of policies;
* `chains` – by which targets policies apply to something, the most specific first;
* `precedence` – which policy takes effect on a target, and what a chain of targets gets: replaced or merged settings;
* `hierarchy` – the sections of targets, what is above them, and where their policies report;
* `inheritance` – which policies are overridden by, or merged with, those of more specific targets;
* `statuses`, `ancestors` – the entries of `status.ancestors`;
* `backends`, `listeners`, `routes`, `tracing` – where the settings take effect, by their type;
* `xbackend_status` – statuses of XBackends, which report like policies.
"""
