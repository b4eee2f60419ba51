// both_sides: marks a function that GPU code and its CPU reference share, in files that any C++
// compiler must read.
#pragma once

#ifdef __CUDACC__
#define EPSIM_BOTH_SIDES __host__ __device__
#else
#define EPSIM_BOTH_SIDES
#endif
