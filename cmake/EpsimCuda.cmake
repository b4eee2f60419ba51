# CUDA is found, not demanded. EPSIM_WITH_CUDA says whether kernels, the CUPTI session and the GPU
# tests are built; it starts as whether nvcc and CUPTI are here.
find_program(EPSIM_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin)
set(epsim_cuda_here OFF)
if(EPSIM_NVCC)
  cmake_path(GET EPSIM_NVCC PARENT_PATH epsim_cuda_bin)
  cmake_path(GET epsim_cuda_bin PARENT_PATH epsim_cuda_root)
  find_path(EPSIM_CUPTI_INCLUDE cupti.h
    HINTS ${epsim_cuda_root} PATH_SUFFIXES include extras/CUPTI/include)
  find_library(EPSIM_CUPTI_LIBRARY cupti
    HINTS ${epsim_cuda_root} PATH_SUFFIXES lib64 extras/CUPTI/lib64)
  if(EPSIM_CUPTI_INCLUDE AND EPSIM_CUPTI_LIBRARY)
    set(epsim_cuda_here ON)
  endif()
endif()
option(EPSIM_WITH_CUDA "build kernels, the CUPTI session and the GPU tests" ${epsim_cuda_here})

if(EPSIM_WITH_CUDA)
  if(NOT EPSIM_NVCC OR NOT EPSIM_CUPTI_LIBRARY)
    message(FATAL_ERROR "EPSIM_WITH_CUDA needs nvcc and CUPTI; EPSIM_NVCC is ${EPSIM_NVCC}, "
      "EPSIM_CUPTI_LIBRARY is ${EPSIM_CUPTI_LIBRARY}")
  endif()
  # What one machine measures is sm_90; a preset names the others too.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 90)
  endif()
  if(NOT DEFINED CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER ${EPSIM_NVCC})
  endif()
  enable_language(CUDA)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  find_package(CUDAToolkit 12.4 REQUIRED)
  add_library(epsim_cupti INTERFACE)
  target_include_directories(epsim_cupti SYSTEM INTERFACE ${EPSIM_CUPTI_INCLUDE})
  target_link_libraries(epsim_cupti INTERFACE ${EPSIM_CUPTI_LIBRARY})
else()
  message(STATUS "no CUDA: kernels, `epsim calibrate run` and GPU tests are left out")
endif()
