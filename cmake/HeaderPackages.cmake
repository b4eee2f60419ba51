# Packages that are headers alone, or can be: installed ones, or a folder EPSIM_HEADERS that holds
# CLI/, fmt/, nlohmann/ and doctest/ for machines where nothing can be installed
# (scripts/headers-for-gpu makes it).
set(EPSIM_HEADERS "" CACHE PATH "folder of headers to use instead of installed packages")
if(EPSIM_HEADERS)
  foreach(package CLI11::CLI11 fmt::fmt nlohmann_json::nlohmann_json doctest::doctest)
    add_library(${package} INTERFACE IMPORTED)
    target_include_directories(${package} SYSTEM INTERFACE ${EPSIM_HEADERS})
  endforeach()
  target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)
else()
  find_package(CLI11 REQUIRED)
  find_package(fmt REQUIRED)
  find_package(nlohmann_json 3.11 REQUIRED)
  find_package(doctest 2.4.9)
endif()
