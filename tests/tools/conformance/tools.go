//go:build tools

// Package tools pins the official conformance suite of Gateway API and the backend that its manifests run.
package tools

import (
	_ "sigs.k8s.io/gateway-api-conformance-images/echo-basic"
	_ "sigs.k8s.io/gateway-api/conformance"
)
