"""Manifests of the Gateway scenario: the shared HTTPS Gateway of a platform team, and the applications behind it."""

DOMAIN = "apps.example.com"
SHOP = f"shop.{DOMAIN}"
API = f"api.{DOMAIN}"


def gateway_class(name: str, controller: str) -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata:
  name: {name}
spec:
  controllerName: {controller}
"""


def shared_gateway(class_name: str) -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: shared-gateway
  namespace: gateway-infra
spec:
  gatewayClassName: {class_name}
  listeners:
    - name: https
      protocol: HTTPS
      port: 443
      hostname: "*.{DOMAIN}"
      tls:
        mode: Terminate
        certificateRefs:
          - kind: Secret
            name: apps-wildcard-tls
      allowedRoutes:
        namespaces:
          from: Selector
          selector:
            matchLabels:
              gateway-access: "true"
"""


def application(name: str, namespace: str, tag: str, port: int = 8080, **environment: str) -> str:
    """A Deployment of headgate-echo, with these variables, and its Service."""
    variables = "".join(
        f"\n            - name: {variable}\n              value: {value!r}" for variable, value in environment.items()
    )
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
spec:
  replicas: 1
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
        - name: echo
          image: ghcr.io/headgate/headgate-echo:{tag}
          env:
            - name: POD_IP
              valueFrom:
                fieldRef:
                  fieldPath: status.podIP{variables}
          ports:
            - name: http
              containerPort: 8080
          readinessProbe:
            httpGet:
              path: /healthz
              port: http
            periodSeconds: 1
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
spec:
  selector:
    app: {name}
  ports:
    - port: {port}
      targetPort: 8080
"""


def route(name: str, namespace: str, hostname: str, rules: str, *, parent: str = "") -> str:
    """An HTTPRoute at the shared Gateway; `parent` adds a line to its parentRef."""
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {name}
  namespace: {namespace}
spec:
  parentRefs:
    - name: shared-gateway
      namespace: gateway-infra
      {parent}
  hostnames:
    - {hostname}
  rules:
{rules}
"""


def weighted(stable: int, canary: int) -> str:
    """One rule over shop-stable and shop-canary."""
    return f"""
    - backendRefs:
        - name: shop-stable
          port: 8080
          weight: {stable}
        - name: shop-canary
          port: 8080
          weight: {canary}
"""


BY_HEADER = """
    - matches:
        - headers:
            - name: x-canary
              value: "true"
      backendRefs:
        - name: shop-canary
          port: 8080
    - backendRefs:
        - name: shop-stable
          port: 8080
"""

BY_PATH_AND_METHOD = """
    - matches:
        - path:
            type: PathPrefix
            value: /v2
          method: GET
      backendRefs:
        - name: api-v2
          port: 80
    - matches:
        - path:
            type: PathPrefix
            value: /
      backendRefs:
        - name: api-v1
          port: 80
"""


def to(service: str, port: int, namespace: str = "") -> str:
    """One rule with one backend."""
    elsewhere = f"\n          namespace: {namespace}" if namespace else ""
    return f"""
    - backendRefs:
        - name: {service}
          port: {port}{elsewhere}
"""


def grant(namespace: str, from_namespace: str) -> str:
    """Routes of another namespace may forward to the Services of this one."""
    return f"""
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata:
  name: routes-of-{from_namespace}
  namespace: {namespace}
spec:
  from:
    - group: gateway.networking.k8s.io
      kind: HTTPRoute
      namespace: {from_namespace}
  to:
    - group: ""
      kind: Service
"""
