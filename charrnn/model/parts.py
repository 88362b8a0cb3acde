"""From which size on a batch is no longer faster in parts.

Within one compiled program the products of a time step use every core, but its elementwise
work runs on one. Parts of the batch are programs of their own, side by side, so that this
work has a core each. Each part reads U again at every time step, which is too much where a
part has few sequences, and where one time step is large the products are nearly all of the
work.
"""

PART_NUMBERS = 1 << 15
"""Up to this B · U of a part the batch is cut, into as many parts as there are cores.

On two cores (`benchmarks/parts.py`, AMD EPYC) two parts gain 49 % at B = 50 and two layers of
128 units, 22 % at 16 and one of 384, 9 % at 64 and two of 512, and nothing at 32 and one of
1,024; four parts on two cores are slower than two at every size.
"""
