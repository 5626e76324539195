"""Calls of gRPC with one message each way, over one HTTP/2 connection. Knows nothing of Cerbos.

Each part rests on those above it:

    status      what becomes of a call that has no answer
    frames      HTTP/2's frames, written and read
    headers     their header blocks, written and read
    call        one call, and what its answer means
    connection  a connection, and the calls on it
    channel     a place to call: connects, and connects again

Decision 8 says why this is not left to gRPC's own library: a call by that takes two to three times
the CPU, and was the largest part of a decision's. What is not needed is not there: no streaming, no
compression, no service config, no load balancing (`authorizer.pdp.failover` does that).
"""
