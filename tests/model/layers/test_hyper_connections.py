import pytest
import torch

from spike_lm.model.layers.hyper_connections import HyperConnections, Route, branch, sinkhorn
from tests.model.layers.causality import assert_causal, noise

STREAMS = noise(3, 2, 5, 4)
ROUTE = Route(noise(3, seed=1), noise(3, seed=2), noise(3, 3, seed=3))


def test_equals_its_definition():
    after = branch(STREAMS, ROUTE, torch.sin)
    work = torch.sin(sum(ROUTE.pre[i] * STREAMS[i] for i in range(3)))
    for i in range(3):
        mixed = sum(ROUTE.res[i, j] * STREAMS[j] for j in range(3))
        torch.testing.assert_close(after[i], mixed + ROUTE.post[i] * work)


def test_without_a_route_a_branch_is_added():
    assert torch.equal(branch(STREAMS[0], None, torch.sin), STREAMS[0] + STREAMS[0].sin())


def test_what_comes_later_changes_nothing():
    assert_causal(lambda x: branch(x, ROUTE, torch.sin), STREAMS, time=2)
    connections = HyperConnections(branches=2, streams=3, rounds=4).double()
    assert_causal(lambda x: connections.merge(x).unsqueeze(0), STREAMS, time=2)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_sinkhorn_makes_rows_and_columns_add_up_to_one(size):
    logits = 2 * noise(7, size, size)
    matrix = torch.softmax(logits[0], -1) + 1e-6
    for _ in range(20):
        matrix = matrix / (matrix.sum(0, keepdim=True) + 1e-6)
        matrix = matrix / (matrix.sum(1, keepdim=True) + 1e-6)
    found = sinkhorn(logits, 20)
    torch.testing.assert_close(found[0], matrix)
    for axis in (-1, -2):
        assert (found.sum(axis) - 1).abs().max() < 1e-2


def test_the_start_is_a_plain_residual_network():
    connections = HyperConnections(branches=4, streams=2, rounds=20).double()
    plain = noise(2, 5, 4)
    streams = plain.expand(2, -1, -1, -1)
    for route in connections.routes():
        plain, streams = plain + plain.sin(), branch(streams, route, torch.sin)
    torch.testing.assert_close(connections.merge(streams), plain, rtol=1e-4, atol=1e-4)


def test_branches_read_different_streams_so_that_streams_can_differ():
    connections = HyperConnections(branches=4, streams=2, rounds=20).double()
    first = [int(route.pre.argmax()) for route in connections.routes()]
    assert first == [0, 1, 0, 1]
    optimizer = torch.optim.SGD(connections.parameters(), lr=0.1)
    for _ in range(3):
        streams = noise(2, 5, 4).expand(2, -1, -1, -1)
        for route in connections.routes():
            streams = branch(streams, route, torch.sin)
        optimizer.zero_grad()
        connections.merge(streams).square().mean().backward()
        optimizer.step()
    assert (streams[0] - streams[1]).abs().max() > 1e-4
    assert all(parameter.grad.abs().max() > 0 for parameter in connections.parameters())
