"""Master data: SKUs, locations, assortments, lanes, and the network they make."""
