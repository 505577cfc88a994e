"""Marks the objects that are created for a Canary as its own."""

from .effects import Json

#: Flux must not revert what a rollout changes.
FLUX_OPT_OUT = {
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}


def owner_reference(canary: Json) -> Json:
    """The Canary as the controlling owner: what it owns is deleted with it."""
    return {
        "apiVersion": canary.get("apiVersion") or "flagger.app/v1beta1",
        "kind": "Canary",
        "name": canary["metadata"]["name"],
        "uid": canary["metadata"].get("uid", ""),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_owned(obj: Json, canary: Json) -> bool:
    """Whether an object names this Canary as an owner."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == canary["metadata"].get("uid") and owner.get("kind") == "Canary" for owner in owners)
