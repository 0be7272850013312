"""The other ways to repair a mask do what they are compared for."""

import numpy as np
import torch
from benchmarks.peers.repairs import _geodesic_distance, _obeying
from scipy.optimize import minimize


def test_the_mask_vector_changes_by_the_least_that_obeys_the_clicks() -> None:
    generator = torch.Generator().manual_seed(1)
    mask, features = torch.randn(12, 10, generator=generator), torch.randn(6, 12, 10, generator=generator)
    points, labels = torch.tensor([[2.0, 3.0], [7.0, 9.0], [5.0, 5.0]]), torch.tensor([1, 0, 1])
    sides = labels.float() * 2 - 1
    rows = torch.stack([features[:, int(y), int(x)] for x, y in points]).numpy()
    values = np.array([float(mask[int(y), int(x)]) for x, y in points])

    changed = _obeying(mask, features, points, labels)
    after = torch.stack([changed[int(y), int(x)] for x, y in points]) * sides
    assert (after >= 1 - 1e-2).all()

    # The oracle: the same quadratic programme by another method.
    constraint = {"type": "ineq", "fun": lambda change: sides.numpy() * (values + rows @ change) - 1}
    least = minimize(lambda change: change @ change, np.zeros(6), constraints=constraint).x
    expected = mask + torch.einsum("c,chw->hw", torch.from_numpy(least).float(), features)
    assert torch.allclose(changed, expected, atol=2e-2)


def test_a_mask_that_obeys_its_clicks_stays() -> None:
    mask = torch.full((8, 8), 3.0)
    assert _obeying(mask, torch.ones(4, 8, 8), torch.tensor([[4.0, 4.0]]), torch.tensor([1])) is mask


def test_a_geodesic_distance_is_that_of_the_grid_where_gray_is_even_and_longer_across_an_edge() -> None:
    even = np.zeros((21, 21), np.float32)
    distance = _geodesic_distance(even, 10, 10)
    assert distance[10, 14] == 4
    assert np.isclose(distance[13, 13], 3 * np.sqrt(2))
    edged = even.copy()
    edged[:, 12:] = 80.0  # ten gray steps
    assert np.isclose(_geodesic_distance(edged, 10, 10)[10, 14], 4 + 10)
    assert _geodesic_distance(edged, 10, 10)[10, 6] == 4
