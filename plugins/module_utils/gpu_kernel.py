# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small program that loads a GPU, in the two forms that drivers compile by themselves.

Every thread walks over the memory: it computes a number from the place's index with four chains
of multiply-adds, writes it in the first pass, and in every later pass compares what it finds there
with what it computes anew. A difference is an error of the memory or of the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Multiply-adds of each chain for one number: enough to keep the arithmetic and not the memory busy
#: (512 operations for 4 bytes; an H100 balances at about 20).
ROUNDS = 64
CHAINS = 4
NAME = "burn"

#: For CUDA's driver, which compiles it for whatever GPU there is from compute capability 5.0 on.
PTX = """.version 5.0
.target sm_50
.address_size 64

.visible .entry burn(
    .param .u64 values, .param .u64 count, .param .u32 rounds, .param .u32 first,
    .param .u64 errors)
{
    .reg .pred %p<4>;
    .reg .b32 %r<16>;
    .reg .f32 %f<8>;
    .reg .b64 %rd<12>;

    ld.param.u64 %rd1, [values];
    ld.param.u64 %rd2, [count];
    ld.param.u32 %r1, [rounds];
    ld.param.u32 %r2, [first];
    ld.param.u64 %rd3, [errors];
    cvta.to.global.u64 %rd1, %rd1;
    cvta.to.global.u64 %rd3, %rd3;

    mov.u32 %r3, %ctaid.x;
    mov.u32 %r4, %ntid.x;
    mov.u32 %r5, %tid.x;
    mov.u32 %r6, %nctaid.x;
    mul.wide.u32 %rd4, %r3, %r4;
    cvt.u64.u32 %rd5, %r5;
    add.u64 %rd4, %rd4, %rd5;
    mul.wide.u32 %rd6, %r4, %r6;
    setp.eq.u32 %p1, %r2, 0;

next:
    setp.ge.u64 %p2, %rd4, %rd2;
    @%p2 bra done;
    cvt.u32.u64 %r7, %rd4;
    and.b32 %r7, %r7, 65535;
    cvt.rn.f32.u32 %f1, %r7;
    fma.rn.f32 %f1, %f1, 0f37000000, 0f3F800000;
    add.f32 %f2, %f1, 0f3E800000;
    add.f32 %f3, %f1, 0f3F000000;
    add.f32 %f4, %f1, 0f3F400000;
    mov.u32 %r8, 0;
again:
    fma.rn.f32 %f1, %f1, 0f3F7FF972, 0f3DCCCCCD;
    fma.rn.f32 %f2, %f2, 0f3F7FF972, 0f3DCCCCCD;
    fma.rn.f32 %f3, %f3, 0f3F7FF972, 0f3DCCCCCD;
    fma.rn.f32 %f4, %f4, 0f3F7FF972, 0f3DCCCCCD;
    add.u32 %r8, %r8, 1;
    setp.lt.u32 %p3, %r8, %r1;
    @%p3 bra again;
    add.f32 %f1, %f1, %f2;
    add.f32 %f3, %f3, %f4;
    add.f32 %f1, %f1, %f3;
    mov.b32 %r9, %f1;
    shl.b64 %rd7, %rd4, 2;
    add.u64 %rd8, %rd1, %rd7;
    @%p1 bra check;
    st.global.u32 [%rd8], %r9;
    bra step;
check:
    ld.global.u32 %r10, [%rd8];
    setp.eq.u32 %p2, %r10, %r9;
    @%p2 bra step;
    atom.global.add.u32 %r11, [%rd3], 1;
step:
    add.u64 %rd4, %rd4, %rd6;
    bra next;
done:
    ret;
}
"""

#: For AMD's run-time compiler.
HIP = """
extern "C" __global__ void burn(unsigned int *values, unsigned long long count, unsigned int rounds,
                                unsigned int first, unsigned int *errors)
{
    unsigned long long step = (unsigned long long)blockDim.x * gridDim.x;
    unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
    for (; i < count; i += step) {
        float a = __builtin_fmaf((float)((unsigned int)i & 65535u), 0x1p-17f, 1.0f);
        float b = a + 0.25f, c = a + 0.5f, d = a + 0.75f;
        for (unsigned int r = 0; r < rounds; r++) {
            a = __builtin_fmaf(a, 0.9999f, 0.1f);
            b = __builtin_fmaf(b, 0.9999f, 0.1f);
            c = __builtin_fmaf(c, 0.9999f, 0.1f);
            d = __builtin_fmaf(d, 0.9999f, 0.1f);
        }
        unsigned int found = __float_as_uint((a + b) + (c + d));
        if (first)
            values[i] = found;
        else if (values[i] != found)
            atomicAdd(errors, 1u);
    }
}
"""


@dataclass(frozen=True)
class Pass:
    """One walk over the memory: the numbers in it, and the operations that they cost."""

    count: int

    @property
    def operations(self) -> int:
        """Return the floating-point operations: a multiply-add counts as two."""
        return self.count * ROUNDS * CHAINS * 2


def plan_pass(free_bytes: int, fraction: float, least_bytes: int = 1 << 20) -> Pass:
    """Return the pass that fills ``fraction`` of the free memory with numbers of four bytes."""
    return Pass(max(int(free_bytes * fraction), least_bytes) // 4)
