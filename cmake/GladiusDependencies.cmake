# Everything the product links, all from the distribution's packages (see ./run for their names).

find_package(fmt REQUIRED)

find_path(OPENBLAS_INCLUDE_DIR cblas.h REQUIRED
  PATH_SUFFIXES openblas-openmp ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp openblas)
find_library(OPENBLAS_LIBRARY openblas REQUIRED
  PATH_SUFFIXES openblas-openmp ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp)

if(GLADIUS_BUILD_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
