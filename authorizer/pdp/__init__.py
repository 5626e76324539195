"""The policy decision point: the port, and what stands behind it."""

import os

# Read by gRPC when it is imported, which only modules below do.
# Its fork handlers serve programs that go on using gRPC after a fork; we only ever exec.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# It writes to standard error, past our log, when a PDP hangs up, which we report ourselves.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
