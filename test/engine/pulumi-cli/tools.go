//go:build tools

// Package tools names the command that this module is for, so that `go mod tidy` keeps it.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
